//! The evidence for a state.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Something that was incomplete when a state was proven, and stays so until the cutover.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Incomplete {
    /// The object, as PostgreSQL's documentation would name it: `table "public"."t"`.
    pub object: String,
    /// Why it is incomplete.
    pub why: String,
    /// The time or LSN up to which it is complete, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
    /// SQL that shows what is in the way, where it can be said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sql: Option<String>,
    /// Whether the target refuses it: every run and the removal try it again. Journals that say nothing were written when
    /// a refusal ended the run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refused: bool,
    /// Whether `remove` completes it by itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_removal: bool,
    /// Whether nothing is missing: what users of the target have made of the object stays, and differs from the source's. It
    /// keeps nobody from removing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub kept: bool,
}

impl Incomplete {
    /// Whether one of these names is the object's. In a name, `*` stands for any text, unless the object has that name itself.
    pub fn is_named<'n>(object: &str, names: impl IntoIterator<Item = &'n String>) -> bool {
        names
            .into_iter()
            .any(|name| name == object || matches(name, object))
    }

    /// Whether it is left to the user: `remove` does not complete it by itself, and there is something to complete.
    pub fn is_open(&self) -> bool {
        !self.by_removal && !self.kept
    }
}

fn matches(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return false;
    };
    let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    let inner = text.strip_prefix(first).and_then(|text| text.strip_suffix(last));
    let Some(mut inner) = inner else { return false };
    middle.split('*').all(|part| match inner.split_once(part) {
        Some((_, after)) => {
            inner = after;
            true
        }
        None => false,
    })
}

/// The evidence for `syncing` or `done`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Proof {
    /// How many tables are complete on the target.
    pub tables: u64,
    /// How many rows pghaul's own copies moved, where they did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// The position in the source's WAL up to which the target has confirmed everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fence: Option<String>,
    /// What stays incomplete until the cutover.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub incomplete: Vec<Incomplete>,
    /// Where both servers were. Absent in journals of programs that did not note it, and for dumps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub positions: Option<Positions>,
}

impl Proof {
    /// Whether the target refuses something that another run would try again.
    pub fn has_refused(&self) -> bool {
        self.incomplete.iter().any(|incomplete| incomplete.refused)
    }
}

/// Where both servers were at one moment of a migration. A later state of each has a later position.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Positions {
    /// The source.
    pub source: ServerPosition,
    /// The target.
    pub target: ServerPosition,
    /// What each slot had decoded, by its name. Empty before PostgreSQL 14, and in journals of programs that did not note it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub decoded: BTreeMap<String, Decoded>,
}

/// What a slot has decoded, by the server's statistics. One that is created again under the same name begins anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decoded {
    /// `total_txns` of `pg_stat_replication_slots`.
    pub transactions: i64,
    /// `total_bytes`.
    pub bytes: i64,
    /// When these statistics, and those of the server, were reset last. A crash resets them.
    pub reset: String,
}

impl Decoded {
    /// Whether the same slot, by the same statistics, had decoded more before.
    pub fn is_behind(&self, before: &Self) -> bool {
        self.reset == before.reset && (self.transactions < before.transactions || self.bytes < before.bytes)
    }
}

/// Where a server was in its own history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerPosition {
    /// `pg_control_system().system_identifier`.
    pub system_identifier: String,
    /// The timeline: promotion and point-in-time recovery begin another one.
    pub timeline: i32,
    /// `pg_current_wal_insert_lsn()`.
    pub lsn: String,
    /// When `PG_VERSION` in the data directory was changed, copied or handed to another owner, in seconds since 1970.
    /// Absent where the role may not ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files_changed: Option<i64>,
    /// `synchronized_standby_slots`: the physical slots of standbys that have each change before a subscription gets it
    /// through a failover slot. Absent before PostgreSQL 17, and where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standby_slots: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::Incomplete;

    #[test]
    fn a_name_may_be_a_pattern() {
        let named = |name: &str, object: &str| Incomplete::is_named(object, &[name.to_owned()]);
        for (name, object) in [
            ("role a", "role a"),
            ("role v-*", "role v-1"),
            ("role v-*", "role v-"),
            ("*", "table public.t"),
            ("role *-app-*", "role v-token-app-1"),
            ("table \"a*b\"", "table \"a*b\""),
            ("r*e a*b*c", "role axbxc"),
        ] {
            assert!(named(name, object), "{name} {object}");
        }
        for (name, object) in [
            ("role a", "role ab"),
            ("role v-*", "membership of v-1"),
            ("role *-app-*", "role v-token-1"),
            ("role a*a", "role a"),
        ] {
            assert!(!named(name, object), "{name} {object}");
        }
    }
}
