//! Single entries of the archive, each in a savepoint of its transaction.

use crate::archive::Entry;
use crate::nobody::without_the_missing;
use libpgdump::ObjectType;
use pghaul_step::{Context, Database, Failure, Home, Method, OwnedTransaction};
use std::borrow::Cow;

/// What is done, in messages and for the positions of faults.
pub(crate) const RESTORE: &str = "restore the schema";

/// How statements are run.
#[derive(Debug, Clone, Copy)]
enum Run {
    /// As they are.
    Plainly,
    /// So that a right which is not granted or not revoked is an error.
    Granting,
    /// So that no text with them is shown, logged or stored on the server.
    Secretly,
}

/// Undefined functions, relations, columns, types and schemas.
const NOT_FOUND: &[&str] = &["42883", "42P01", "42703", "42704", "3F000"];

/// Whether a statement, or a function of a user that it runs, names something that the server does not find.
pub(crate) fn finds_nothing(failure: &Failure) -> bool {
    failure
        .sqlstate
        .as_deref()
        .is_some_and(|state| NOT_FOUND.contains(&state))
}

/// Restores an entry in a transaction that goes on where that fails. Returns what the server says then.
///
/// Privileges of roles that are gone are left out: nobody has them. An index or a constraint of a dump whose functions find nothing with an empty
/// `search_path` gets that of the source's database, behind `pg_catalog`, whose names pg_dump does not qualify.
pub(crate) async fn attempt_entry(
    ctx: &Context<Database>,
    transaction: &OwnedTransaction<'_>,
    entry: &Entry,
    statements: &str,
) -> Result<Option<Failure>, Failure> {
    let run = match entry.kind {
        _ if entry.may_hold_a_secret() => Run::Secretly,
        ObjectType::Acl | ObjectType::DefaultAcl => Run::Granting,
        _ => Run::Plainly,
    };
    let Some(failure) = attempt(transaction, statements, run).await? else {
        return Ok(None);
    };
    match entry.kind {
        ObjectType::Acl | ObjectType::DefaultAcl => {
            attempt_for_somebody(transaction, statements, failure).await
        }
        ObjectType::Index | ObjectType::Constraint => {
            attempt_at_home(ctx, transaction, statements, failure).await
        }
        _ => Ok(Some(failure)),
    }
}

/// Runs statements that evaluate expressions of users, in a transaction that goes on where they fail.
pub(crate) async fn attempt_statements(
    ctx: &Context<Database>,
    transaction: &OwnedTransaction<'_>,
    statements: &str,
) -> Result<Option<Failure>, Failure> {
    match attempt(transaction, statements, Run::Plainly).await? {
        Some(failure) => attempt_at_home(ctx, transaction, statements, failure).await,
        None => Ok(None),
    }
}

/// Runs statements again that have failed, where another `search_path` may help.
async fn attempt_at_home(
    ctx: &Context<Database>,
    transaction: &OwnedTransaction<'_>,
    statements: &str,
    failure: Failure,
) -> Result<Option<Failure>, Failure> {
    // Workers that apply changes have an empty search_path: on a table with such an index they would fail.
    if !finds_nothing(&failure) || ctx.method() != Method::Dump {
        return Ok(Some(failure));
    }
    let statements = Home::of(ctx).await?.with_search_path(statements)?;
    let again = attempt(transaction, &statements, Run::Plainly).await?;
    Ok(again.map(|_| failure))
}

async fn attempt_for_somebody(
    transaction: &OwnedTransaction<'_>,
    statements: &str,
    mut failure: Failure,
) -> Result<Option<Failure>, Failure> {
    let mut statements = Cow::Borrowed(statements);
    while let Some(kept) = without_the_missing(&statements, &failure) {
        match attempt(transaction, &kept, Run::Granting).await? {
            None => return Ok(None),
            Some(other) => failure = other,
        }
        statements = Cow::Owned(kept);
    }
    Ok(Some(failure))
}

/// Runs statements in a transaction that goes on where they fail. Returns what the server says then.
async fn attempt(
    transaction: &OwnedTransaction<'_>,
    statements: &str,
    run: Run,
) -> Result<Option<Failure>, Failure> {
    transaction.batch(RESTORE, "SAVEPOINT piece").await?;
    let attempted = match run {
        Run::Plainly => transaction.batch(RESTORE, statements).await,
        Run::Granting => transaction.batch_of_grants(RESTORE, statements).await,
        Run::Secretly => transaction.inner().batch_secretly(RESTORE, statements).await,
    };
    match attempted {
        Ok(()) => {
            transaction.batch(RESTORE, "RELEASE SAVEPOINT piece").await?;
            Ok(None)
        }
        Err(error) => {
            let failure = Failure::from(error);
            // Where the connection is lost, that is what has failed.
            match transaction.batch(RESTORE, "ROLLBACK TO SAVEPOINT piece").await {
                Ok(()) => Ok(Some(failure)),
                Err(_) => Err(failure),
            }
        }
    }
}
