//! `pghaul remove --force --gone SIDE`: one of the servers no longer exists, or is another one now.
//!
//! What pghaul has made on the other one is taken away as `doctor --drop` does it: source and target can't be asked for each
//! other any more. Without this the source would retain WAL for a target that never comes back.

use super::Session;
use super::worked::{Worked, shown};
use crate::args::RemoveArgs;
use crate::journals;
use crate::runner::{Locked, Start};
use crate::servers::Given;
use pghaul_core::event::Incomplete;
use pghaul_core::{Failure, Side};
use pghaul_engine::doctor::Cleanup;

/// Ends the migration without one of its servers.
pub(super) async fn remove_without(
    session: &Session,
    args: &RemoveArgs,
    side: Side,
    locked: Locked,
) -> Result<Worked, Failure> {
    let took_over = locked.check_last_runner(args.take_over)?;
    let created = locked.read(journals::created)?;
    let ways = Given::new(&args.servers)?.or_journaled(&created)?;
    let remaining = ways.without(side, &created).await?;
    Cleanup {
        migration: locked.id(),
        source: remaining.source.as_ref(),
        target: remaining.target.as_ref(),
        registry: &session.registry,
    }
    .run()
    .await?;
    let start = Start {
        command: "remove",
        take_over: took_over,
        reason: args.audit.reason.clone(),
    };
    let left = Incomplete {
        object: "the database".to_owned(),
        why: format!("the {side} is gone: nothing was proven, and nothing removed there"),
        ..Incomplete::default()
    };
    locked.close(session, &start, Some(left)).await?;
    locked.clear_state_directory();
    Ok(Worked {
        view: shown(&locked),
        outcome: Ok(()),
        over: false,
    })
}
