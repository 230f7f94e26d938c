//! Statements that the target may refuse, in a transaction of their own.

use crate::refusals::is_refusal;
use pghaul_step::{Context, Database, Expressions, Failure, Home};

/// Runs statements in a transaction, which forgets some effects and notes others. Returns what the target says where it refuses.
pub(crate) async fn attempt(
    ctx: &Context<Database>,
    what: &str,
    statements: &str,
    forgotten: &[&String],
    noted: &[&String],
) -> Result<Option<Failure>, Failure> {
    let owned = |keys: &[&String]| keys.iter().map(|key| (*key).clone()).collect::<Vec<_>>();
    let mut session = ctx.target().await?;
    let transaction = ctx.begin(&mut session).await?;
    Home::of(ctx)
        .await?
        .enter(&transaction, Expressions::OfBuilds)
        .await?;
    if let Err(error) = transaction.batch(what, statements).await {
        let failure = Failure::from(error);
        // Where the connection is lost, that is what has failed.
        return match transaction.rollback().await {
            Ok(()) if is_refusal(&failure) => Ok(Some(failure)),
            _ => Err(failure),
        };
    }
    transaction.forget_each(&owned(forgotten)).await?;
    transaction.effects(&owned(noted)).await?;
    transaction.commit(what).await?;
    Ok(None)
}
