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

const SUBSCRIPTION: &str = "subscriptions of the source would make two servers consume the same changes";
const OWN_PUBLICATION: &str = "a publication of pghaul";

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
        T::Subscription | T::SubscriptionTable => Fate::Skip(SUBSCRIPTION),
        T::Comment | T::SecurityLabel if entry.tag.starts_with("SUBSCRIPTION ") => Fate::Skip(SUBSCRIPTION),
        T::Publication | T::PublicationTable | T::PublicationTablesInSchema
            if entry.tag.starts_with("pghaul_") =>
        {
            Fate::Skip(OWN_PUBLICATION)
        }
        T::Comment | T::SecurityLabel if entry.tag.starts_with("PUBLICATION pghaul_") => {
            Fate::Skip(OWN_PUBLICATION)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: ObjectType, tag: &str) -> Fate {
        let entry = Entry {
            id: 1,
            kind,
            namespace: String::new(),
            tag: tag.to_owned(),
            owner: "owner".to_owned(),
            statements: String::new(),
            drop_statement: String::new(),
            tablespace: String::new(),
            access_method: String::new(),
            partitioned: false,
            before_data: false,
            dependencies: Vec::new(),
        };
        fate(&entry, Method::Replication, false)
    }

    #[test]
    fn comments_and_labels_on_what_is_left_out_are_left_out_too() {
        for kind in [ObjectType::Comment, ObjectType::SecurityLabel] {
            assert_eq!(of(kind.clone(), "SUBSCRIPTION sub"), Fate::Skip(SUBSCRIPTION));
            // Another migration of the same source.
            let own = of(kind.clone(), "PUBLICATION pghaul_abc_1_g1a1");
            assert_eq!(own, Fate::Skip(OWN_PUBLICATION));
            let of_users = of(kind, "PUBLICATION pub");
            assert_eq!(of_users, Fate::Restore(Pass::AfterData));
        }
    }
}
