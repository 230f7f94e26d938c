//! The keys of effects in `pghaul.effect`: what each stands for, and its text.
//!
//! The text is part of the format of a migration that is under way: a newer pghaul reads the keys that an older one wrote.

use crate::copy::CopyItem;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

/// What an effect key of a built-in step stands for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum EffectKey {
    /// A part of a table's rows. It says how many parts there are, so that the target alone can tell whether the table
    /// is complete.
    CopiedPart {
        /// The attempt and the table.
        item: CopyItem,
        /// From 1.
        part: u32,
        /// How many there are.
        parts: u32,
    },
    /// An entry of the archive is restored, or skipped for good. The number is the entry's in the archive.
    Entry(i32),
    /// The index is built that the constraint of this entry will adopt.
    IndexOfEntry(i32),
    /// The foreign key of this entry exists and is not validated.
    Unvalidated(i32),
    /// The table with this number in the plan has its statistics.
    Analyzed(u32),
    /// The materialized view with this quoted name is refreshed.
    Refreshed(String),
    /// The subscription with this name is created.
    Subscribed(String),
    /// The state was proven, up to this position of the source's WAL.
    Proven(String),
    /// The mark of the proof with this position is on the source too.
    ProvenOnSource(String),
    /// The settings of the database are set.
    DatabaseSettings,
    /// A setting is set for the workers of the subscription: its name and, after `=`, the value of before, if any.
    WorkerSetting(String),
    /// The subscription with this name was stopped by pghaul, for a removal.
    Stopped(String),
    /// The sequence with this quoted name is set to this position, or is about to be.
    SequenceSet {
        /// The sequence.
        name: String,
        /// Its value.
        value: i64,
        /// Whether the value was returned already.
        is_called: bool,
    },
    /// The sequence with this quoted name was found to be moved by somebody else.
    SequenceMoved(String),
    /// The transaction with this id, as `xmin` shows it, has written large objects.
    LargeObjects(u32),
    /// The version of the row of a subscription (`pg_subscription.xmin`) since pghaul altered it last: the subscription's name, `/`,
    /// the version.
    SubscriptionVersion(String),
}

/// The prefixes of the texts. An entry's also begins the texts of what is noted about the entry besides.
impl EffectKey {
    /// Of everything that belongs to the schema and not to rows: it outlives rows that are discarded.
    pub const SCHEMA: &'static str = "schema/";
    /// Of [`Unvalidated`](Self::Unvalidated).
    pub const UNVALIDATED: &'static str = "schema/unvalidated/";
    /// Of [`Analyzed`](Self::Analyzed).
    pub const ANALYZED: &'static str = "analyzed/";
    /// Of [`Refreshed`](Self::Refreshed).
    pub const REFRESHED: &'static str = "matview/";
    /// Of [`CopiedPart`](Self::CopiedPart).
    pub const COPIED: &'static str = "copy/";

    /// Of [`Proven`](Self::Proven).
    pub const PROVEN: &'static str = "proven/";

    /// Of [`ProvenOnSource`](Self::ProvenOnSource).
    pub const PROVEN_ON_SOURCE: &'static str = "proven-on-source/";

    /// Of [`WorkerSetting`](Self::WorkerSetting).
    pub const WORKER_SETTING: &'static str = "worker-setting/";

    /// Of [`SequenceSet`](Self::SequenceSet) and [`SequenceMoved`](Self::SequenceMoved).
    pub const SEQUENCE: &'static str = "sequence/";

    /// Of [`LargeObjects`](Self::LargeObjects).
    pub const LARGE_OBJECTS: &'static str = "large-objects/";

    const SEQUENCE_SET: &'static str = "sequence/set/";
    const SEQUENCE_MOVED: &'static str = "sequence/moved/";
    const DATABASE_SETTINGS: &'static str = "schema/settings-of-database";
    const INDEX: &'static str = "schema/index/";
    const SUBSCRIBED: &'static str = "subscription/";
    const STOPPED: &'static str = "stopped/";
    const SUBSCRIPTION_VERSION: &'static str = "subscription-version/";

    /// The key of a table that is copied in one part.
    pub fn copied_whole(item: CopyItem) -> Self {
        Self::CopiedPart {
            item,
            part: 1,
            parts: 1,
        }
    }

    /// The prefix of the parts of one attempt.
    pub fn copied_in(attempt: u32) -> String {
        format!("{}{attempt}/", Self::COPIED)
    }

    /// A regular expression that the parts of these tables match, of all attempts.
    pub fn copies_of(tables: impl IntoIterator<Item = u32>) -> String {
        let tables: Vec<String> = tables.into_iter().map(|number| number.to_string()).collect();
        format!("^{}[0-9]+/({})/", Self::COPIED, tables.join("|"))
    }

    /// Whether a table is complete in any attempt, by the texts of keys.
    pub fn any_complete(keys: &[String], table: u32) -> bool {
        let attempt = |key: &String| match key.parse() {
            Ok(Self::CopiedPart { item, .. }) => Some(item.attempt),
            _ => None,
        };
        let attempts: BTreeSet<u32> = keys.iter().filter_map(attempt).collect();
        let is_complete = |attempt| Self::complete(keys, attempt).contains(&table);
        attempts.into_iter().any(is_complete)
    }

    /// The tables of one attempt that are complete, by the texts of keys: all of their parts are there.
    pub fn complete<'k>(keys: impl IntoIterator<Item = &'k String>, attempt: u32) -> BTreeSet<u32> {
        let mut found: BTreeMap<(u32, u32), u32> = BTreeMap::new();
        for key in keys {
            if let Ok(Self::CopiedPart { item, parts, .. }) = key.parse()
                && item.attempt == attempt
            {
                *found.entry((item.table, parts)).or_default() += 1;
            }
        }
        let complete = found.into_iter().filter(|((_, parts), count)| parts == count);
        complete.map(|((table, _), _)| table).collect()
    }
}

impl fmt::Display for EffectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CopiedPart { item, part, parts } => write!(f, "{}{item}/{part}-{parts}", Self::COPIED),
            Self::Entry(entry) => write!(f, "{}{entry}", Self::SCHEMA),
            Self::IndexOfEntry(entry) => write!(f, "{}{entry}", Self::INDEX),
            Self::Unvalidated(entry) => write!(f, "{}{entry}", Self::UNVALIDATED),
            Self::Analyzed(table) => write!(f, "{}{table}", Self::ANALYZED),
            Self::Refreshed(name) => write!(f, "{}{name}", Self::REFRESHED),
            Self::Subscribed(name) => write!(f, "{}{name}", Self::SUBSCRIBED),
            Self::Proven(fence) => write!(f, "{}{fence}", Self::PROVEN),
            Self::ProvenOnSource(fence) => write!(f, "{}{fence}", Self::PROVEN_ON_SOURCE),
            Self::DatabaseSettings => f.write_str(Self::DATABASE_SETTINGS),
            Self::WorkerSetting(setting) => write!(f, "{}{setting}", Self::WORKER_SETTING),
            Self::Stopped(name) => write!(f, "{}{name}", Self::STOPPED),
            Self::SequenceSet {
                name,
                value,
                is_called,
            } => write!(f, "{}{value}/{is_called}/{name}", Self::SEQUENCE_SET),
            Self::SequenceMoved(name) => write!(f, "{}{name}", Self::SEQUENCE_MOVED),
            Self::LargeObjects(transaction) => write!(f, "{}{transaction}", Self::LARGE_OBJECTS),
            Self::SubscriptionVersion(version) => write!(f, "{}{version}", Self::SUBSCRIPTION_VERSION),
        }
    }
}

/// A key that no built-in step writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownKey;

impl FromStr for EffectKey {
    type Err = UnknownKey;

    fn from_str(text: &str) -> Result<Self, UnknownKey> {
        if let Some(rest) = text.strip_prefix(Self::COPIED) {
            let (item, part) = rest.rsplit_once('/').ok_or(UnknownKey)?;
            let (part, parts) = part.split_once('-').ok_or(UnknownKey)?;
            return Ok(Self::CopiedPart {
                item: number(item)?,
                part: number(part)?,
                parts: number(parts)?,
            });
        }
        if text == Self::DATABASE_SETTINGS {
            return Ok(Self::DatabaseSettings);
        }
        // The longer prefixes first.
        if let Some(entry) = text.strip_prefix(Self::INDEX) {
            return number(entry).map(Self::IndexOfEntry);
        }
        if let Some(entry) = text.strip_prefix(Self::UNVALIDATED) {
            return number(entry).map(Self::Unvalidated);
        }
        if let Some(entry) = text.strip_prefix(Self::SCHEMA) {
            return number(entry).map(Self::Entry);
        }
        if let Some(table) = text.strip_prefix(Self::ANALYZED) {
            return number(table).map(Self::Analyzed);
        }
        if let Some(rest) = text.strip_prefix(Self::SEQUENCE_SET) {
            let mut parts = rest.splitn(3, '/');
            let mut part = || parts.next().ok_or(UnknownKey);
            return Ok(Self::SequenceSet {
                value: number(part()?)?,
                is_called: number(part()?)?,
                name: part()?.to_owned(),
            });
        }
        if let Some(transaction) = text.strip_prefix(Self::LARGE_OBJECTS) {
            return number(transaction).map(Self::LargeObjects);
        }
        let named = |prefix| text.strip_prefix(prefix).map(str::to_owned);
        named(Self::REFRESHED)
            .map(Self::Refreshed)
            .or_else(|| named(Self::SUBSCRIBED).map(Self::Subscribed))
            .or_else(|| named(Self::PROVEN).map(Self::Proven))
            .or_else(|| named(Self::PROVEN_ON_SOURCE).map(Self::ProvenOnSource))
            .or_else(|| named(Self::WORKER_SETTING).map(Self::WorkerSetting))
            .or_else(|| named(Self::STOPPED).map(Self::Stopped))
            .or_else(|| named(Self::SEQUENCE_MOVED).map(Self::SequenceMoved))
            .or_else(|| named(Self::SUBSCRIPTION_VERSION).map(Self::SubscriptionVersion))
            .ok_or(UnknownKey)
    }
}

fn number<T: FromStr>(text: &str) -> Result<T, UnknownKey> {
    text.parse().map_err(|_| UnknownKey)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn item(attempt: u32, table: u32) -> CopyItem {
        CopyItem { attempt, table }
    }

    fn any_key() -> impl Strategy<Value = EffectKey> {
        let part = (any::<u32>(), any::<u32>(), any::<u32>(), any::<u32>());
        prop_oneof![
            part.prop_map(|(attempt, table, part, parts)| EffectKey::CopiedPart {
                item: item(attempt, table),
                part,
                parts
            }),
            any::<i32>().prop_map(EffectKey::Entry),
            any::<i32>().prop_map(EffectKey::IndexOfEntry),
            any::<i32>().prop_map(EffectKey::Unvalidated),
            any::<u32>().prop_map(EffectKey::Analyzed),
            any::<String>().prop_map(EffectKey::Refreshed),
            any::<String>().prop_map(EffectKey::Subscribed),
            any::<String>().prop_map(EffectKey::Proven),
            any::<String>().prop_map(EffectKey::ProvenOnSource),
            Just(EffectKey::DatabaseSettings),
            any::<String>().prop_map(EffectKey::WorkerSetting),
            any::<String>().prop_map(EffectKey::Stopped),
            (any::<String>(), any::<i64>(), any::<bool>()).prop_map(|(name, value, is_called)| {
                EffectKey::SequenceSet {
                    name,
                    value,
                    is_called,
                }
            }),
            any::<String>().prop_map(EffectKey::SequenceMoved),
            any::<u32>().prop_map(EffectKey::LargeObjects),
            any::<String>().prop_map(EffectKey::SubscriptionVersion),
        ]
    }

    proptest! {
        #[test]
        fn every_key_is_read_as_it_was_written(key in any_key()) {
            prop_assert_eq!(key.to_string().parse(), Ok(key));
        }

        #[test]
        fn no_text_is_two_keys(text in any::<String>()) {
            if let Ok(key) = text.parse::<EffectKey>() {
                // Only numbers can be written in two ways, with a sign or zeros.
                prop_assert_eq!(key.to_string().parse(), Ok(key));
            }
        }
    }

    /// As release 0.1.0 wrote them.
    #[test]
    fn keys_of_journals_under_way_are_read() {
        let keys = [
            (
                "copy/2/7/1-3",
                EffectKey::CopiedPart {
                    item: item(2, 7),
                    part: 1,
                    parts: 3,
                },
            ),
            ("copy/1/12/1-1", EffectKey::copied_whole(item(1, 12))),
            ("schema/3391", EffectKey::Entry(3391)),
            ("schema/index/3391", EffectKey::IndexOfEntry(3391)),
            ("schema/unvalidated/3391", EffectKey::Unvalidated(3391)),
            ("analyzed/7", EffectKey::Analyzed(7)),
            (
                "matview/\"a/b\".\"c\"",
                EffectKey::Refreshed("\"a/b\".\"c\"".to_owned()),
            ),
            (
                "subscription/pghaul_k3v9x2ab_1_g1a1",
                EffectKey::Subscribed("pghaul_k3v9x2ab_1_g1a1".to_owned()),
            ),
        ];
        for (text, key) in keys {
            assert_eq!(text.parse(), Ok(key.clone()), "{text}");
            assert_eq!(key.to_string(), text);
        }
        for text in [
            "",
            "copy/1/2",
            "copy/1/2/3",
            "schema/",
            "schema/index/x",
            "mine/1",
        ] {
            assert_eq!(text.parse::<EffectKey>(), Err(UnknownKey), "{text}");
        }
    }

    #[test]
    fn a_table_is_complete_when_all_its_parts_are() {
        let part = |attempt, table, part, parts| {
            let item = item(attempt, table);
            EffectKey::CopiedPart { item, part, parts }.to_string()
        };
        let keys = [
            part(2, 7, 1, 2),
            part(2, 7, 2, 2),
            part(2, 8, 1, 3),
            part(1, 9, 1, 1),
            part(2, 10, 1, 1),
        ];
        let complete = EffectKey::complete(&keys, 2);
        assert_eq!(complete.into_iter().collect::<Vec<_>>(), [7, 10]);
    }
}
