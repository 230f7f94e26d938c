//! What becomes of each kind of archive entry: one table for the whole tool.

use crate::archive::Entry;
use libpgdump::ObjectType;
use pghaul_step::Method;

/// When an entry is restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Pass {
    /// Before any row: types, functions, tables, views.
    BeforeData,
    /// Before changes are applied: primary keys, unique constraints, replica identities.
    Keys,
    /// After the data: indexes, foreign keys, triggers, rules, policies.
    AfterData,
    /// When checks are added that were taken out of their tables: comments on them.
    WithChecks,
    /// Last: privileges, event triggers, settings of the database.
    Last,
}

/// What becomes of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is restored. What an error means is for [`crate::refusals`] to say.
    Restore(Pass),
    /// It is not restored.
    Skip(&'static str),
}

impl Fate {
    /// When it is restored; never, where it is not.
    pub(crate) fn pass(&self) -> Option<Pass> {
        match self {
            Self::Restore(pass) => Some(*pass),
            Self::Skip(_) => None,
        }
    }

    /// The same fate, in that pass or a later one.
    pub(crate) fn not_before(self, earliest: Pass) -> Self {
        match self {
            Self::Restore(pass) => Self::Restore(pass.max(earliest)),
            Self::Skip(why) => Self::Skip(why),
        }
    }
}

/// The fate of an entry under a method.
///
/// `is_key` tells whether an index, or the attachment of one, belongs to a key or a replica identity. The order
/// of passes is pg_restore's: privileges come last, because a `REVOKE` may hit the very role that restores.
pub(crate) fn fate(entry: &Entry, method: Method, is_key: bool) -> Fate {
    use ObjectType as T;
    let keys = if method == Method::Replication {
        Pass::Keys
    } else {
        Pass::AfterData
    };
    match &entry.kind {
        T::Encoding | T::StdStrings | T::SearchPath => Fate::Skip("a setting of pghaul's sessions"),
        T::Subscription | T::SubscriptionTable => {
            Fate::Skip("subscriptions of the source would make two servers consume the same changes")
        }
        T::Publication | T::PublicationTable | T::PublicationTablesInSchema
            if entry.tag.starts_with("pghaul_") =>
        {
            Fate::Skip("a publication of pghaul")
        }
        T::MaterializedViewData => Fate::Skip("materialized views are refreshed by pghaul"),
        T::TableData | T::SequenceSet | T::Blobs | T::Blob | T::BlobMetadata => {
            Fate::Skip("data is moved by pghaul")
        }
        T::StatisticsData => Fate::Skip("statistics come with the indexes of their table"),
        T::Database | T::DatabaseProperties | T::Acl | T::DefaultAcl | T::EventTrigger => {
            Fate::Restore(Pass::Last)
        }
        T::Comment
            if ["EXTENSION ", "DATABASE ", "EVENT TRIGGER "]
                .iter()
                .any(|kind| entry.tag.starts_with(kind)) =>
        {
            Fate::Restore(Pass::Last)
        }
        T::Constraint if !entry.may_be_violated() => Fate::Restore(keys),
        T::Index | T::IndexAttach if is_key => Fate::Restore(keys),
        _ if entry.before_data => Fate::Restore(Pass::BeforeData),
        _ => Fate::Restore(Pass::AfterData),
    }
}
