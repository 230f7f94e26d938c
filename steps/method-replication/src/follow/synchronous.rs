//! Whether the source takes a subscription for one of its synchronous standbys.
//!
//! The check `synchronous-standbys` has looked before the subscription was made; an administrator may change the setting
//! while it works.

use pghaul_step::postgres::{ReadOnly, Session, Source};
use pghaul_step::{Failure, Incomplete};

const SETTING: &str = "synchronous_standby_names";

/// What is to be changed before the subscription is removed, which every commit of the source may be waiting for.
pub(super) async fn standby(source: &Session<Source, ReadOnly>) -> Result<Option<Incomplete>, Failure> {
    let names = source.setting(SETTING).await?.unwrap_or_default();
    Ok(names_all(&names).then(|| Incomplete {
        object: format!("setting {SETTING}"),
        why: format!(
            "'{names}' on the source matches the target's subscription too: commits on the source wait for the target, or count as safe because the target has them; name the source's standbys instead of `*`, by their application_name in pg_stat_replication"
        ),
        ..Incomplete::default()
    }))
}

/// Whether the value of the setting matches any name, such as `ANY 1 (*)`.
fn names_all(setting: &str) -> bool {
    let list = setting.split_once('(').map_or(setting, |(_, list)| list);
    let mut names = list.trim_end().trim_end_matches(')').split(',');
    names.any(|name| name.trim() == "*")
}

#[cfg(test)]
mod tests {
    use super::names_all;

    #[test]
    fn a_star_stands_for_every_name() {
        for all in ["*", " * ", "a, *", "2 (*)", "ANY 1 ( a , * )", "FIRST 1 (*) "] {
            assert!(names_all(all), "{all}");
        }
        for some in ["", "a", "\"a*\"", "ANY 1 (a, b)", "\"*\""] {
            assert!(!names_all(some), "{some}");
        }
    }
}
