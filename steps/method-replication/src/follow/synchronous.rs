//! Whether the source takes a subscription for one of its synchronous standbys.
//!
//! The check `synchronous-standbys` has looked before the subscription was made; an administrator may change the setting
//! while it works.

use pghaul_step::postgres::synchronous::Waiting;
use pghaul_step::postgres::{ReadOnly, Session, Source};
use pghaul_step::{Failure, Incomplete};

const SETTING: &str = "synchronous_standby_names";

/// What is to be changed before the subscription is removed, which every commit of the source may be waiting for.
pub(super) async fn standby(source: &Session<Source, ReadOnly>) -> Result<Option<Incomplete>, Failure> {
    let names = source.setting(SETTING).await?.unwrap_or_default();
    let takes_any = Waiting::of(&names).is_some_and(|waiting| waiting.takes_any);
    Ok(takes_any.then(|| Incomplete {
        object: format!("setting {SETTING}"),
        why: format!(
            "'{names}' on the source matches the target's subscription too: commits on the source wait for the target, or count as safe because the target has them; name the source's standbys instead, by their application_name in pg_stat_replication"
        ),
        ..Incomplete::default()
    }))
}
