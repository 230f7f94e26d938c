//! Publications that were altered, and are as they were.
//!
//! `ALTER PUBLICATION … OWNER TO`, as by `REASSIGN OWNED`, leaves another version of the row in `pg_publication`, and so do
//! options that were altered and put back, by which changes may be missing. Only the user knows which of them it was.

use super::Link;
use crate::publication;
use pghaul_step::postgres::{ReadOnly, Session, Source};
use pghaul_step::{Context, Database, Failure, Incomplete, failures};

/// What the user is to accept for each publication that has another version.
pub(super) async fn in_doubt(
    ctx: &Context<Database>,
    source: &Session<Source, ReadOnly>,
    links: &[Link],
) -> Result<Vec<Incomplete>, Failure> {
    let mut found = Vec::new();
    for link in links {
        let first = link.first.as_ref().map(|first| &first.version);
        let now = publication::version(source, &link.publication).await?;
        let is_same = |(first, now): (&_, &_)| first == now;
        if first.zip(now.as_ref()).is_none_or(is_same) {
            continue;
        }
        found.push(Incomplete {
            object: format!("publication {}", link.publication),
            why: format!(
                "was altered on the source since; where it left out operations for a while, changes are missing, and `{}` copies again; accept it where only its owner was changed",
                failures::restart_data(ctx.database())
            ),
            ..Incomplete::default()
        });
    }
    Ok(found)
}
