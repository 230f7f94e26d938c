//! When each entry of an archive is restored: by its kind, but never before what it depends on.

use crate::archive::{Archive, Entry};
use crate::fate::{Fate, Pass, fate};
use libpgdump::ObjectType;
use pghaul_step::Method;
use std::collections::{BTreeMap, BTreeSet};

/// The fates of all entries of an archive under a method.
#[derive(Debug)]
pub(crate) struct Passes<'a> {
    fates: BTreeMap<i32, Fate>,
    key_indexes: BTreeSet<(&'a str, &'a str)>,
}

impl<'a> Passes<'a> {
    pub(crate) fn of(archive: &'a Archive, method: Method) -> Self {
        let key_indexes = key_indexes(archive);
        let mut fates: BTreeMap<i32, Fate> = BTreeMap::new();
        // The archive's order is one in which every entry follows those that it depends on.
        for entry in &archive.entries {
            let own = fate(entry, method, is_key_index(&key_indexes, entry));
            let needed = entry.dependencies.iter().filter_map(|id| fates.get(id));
            let left_out = needed.clone().find(|fate| fate.pass().is_none());
            let fate = match (left_out, needed.filter_map(Fate::pass).max()) {
                (Some(left_out), _) if is_attached(entry) => left_out.clone(),
                (_, Some(pass)) if !has_rows(entry) => own.not_before(pass),
                _ => own,
            };
            fates.insert(entry.id, fate);
        }
        Self { fates, key_indexes }
    }

    pub(crate) fn fate(&self, entry: &Entry) -> Option<&Fate> {
        self.fates.get(&entry.id)
    }

    /// When an entry is restored; never, where it is not.
    pub(crate) fn pass(&self, entry: &Entry) -> Option<Pass> {
        self.fate(entry)?.pass()
    }

    /// Whether an index belongs to a key or a replica identity.
    pub(crate) fn is_key(&self, entry: &Entry) -> bool {
        entry.kind == ObjectType::Constraint || is_key_index(&self.key_indexes, entry)
    }
}

/// Whether rows or numbers are to be put into it: then it can't wait for them.
fn has_rows(entry: &Entry) -> bool {
    matches!(entry.kind, ObjectType::Table | ObjectType::Sequence)
}

/// Whether it says something of another object, and nothing without it.
fn is_attached(entry: &Entry) -> bool {
    matches!(entry.kind, ObjectType::Comment | ObjectType::SecurityLabel)
}

fn is_key_index(key_indexes: &BTreeSet<(&str, &str)>, entry: &Entry) -> bool {
    key_indexes.contains(&(entry.namespace.as_str(), entry.tag.as_str()))
}

/// Schema and name of the indexes that are keys or replica identities.
fn key_indexes(archive: &Archive) -> BTreeSet<(&str, &str)> {
    let mut keys = BTreeSet::new();
    for entry in &archive.entries {
        let namespace = entry.namespace.as_str();
        match &entry.kind {
            ObjectType::Index if entry.statements.contains(" REPLICA IDENTITY USING INDEX ") => {
                keys.insert((namespace, entry.tag.as_str()));
            }
            // The tag is `table constraint`; either may contain spaces, so every split is a candidate.
            ObjectType::Constraint => {
                keys.extend(
                    entry
                        .tag
                        .match_indices(' ')
                        .filter_map(|(space, _)| Some((namespace, entry.tag.get(space + 1..)?))),
                );
            }
            _ => {}
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: i32, kind: ObjectType, tag: &str, dependencies: &[i32]) -> Entry {
        Entry {
            id,
            before_data: matches!(kind, ObjectType::Table | ObjectType::View),
            namespace: "public".to_owned(),
            dependencies: dependencies.to_vec(),
            ..Entry::bare(kind, tag)
        }
    }

    /// A unique index of a partitioned table that a key of its partition is attached to.
    #[test]
    fn an_attachment_waits_for_the_index_of_the_parent() {
        use ObjectType as T;
        let archive = Archive {
            entries: vec![
                entry(1, T::Table, "p", &[]),
                entry(2, T::Table, "p1", &[]),
                entry(3, T::Constraint, "p1 p1_key", &[2]),
                entry(4, T::Index, "p_unique", &[1]),
                entry(5, T::IndexAttach, "p1_key", &[3, 4]),
                entry(6, T::Comment, "INDEX p_unique", &[4]),
                entry(7, T::View, "v", &[3]),
            ],
        };
        let passes = Passes::of(&archive, Method::Replication);
        let found: Vec<_> = archive.entries.iter().map(|entry| passes.pass(entry)).collect();
        let [before, keys, after] = [Pass::BeforeData, Pass::Keys, Pass::AfterData].map(Some);
        assert_eq!(found, [before, before, keys, after, after, after, keys]);
    }

    #[test]
    fn comments_and_labels_on_what_is_left_out_are_left_out_too() {
        use ObjectType as T;
        for kind in [T::Comment, T::SecurityLabel] {
            let archive = Archive {
                entries: vec![
                    entry(1, T::Subscription, "sub", &[]),
                    entry(2, kind.clone(), "SUBSCRIPTION sub", &[1]),
                    // Another migration of the same source.
                    entry(3, T::Publication, "pghaul_abc_1_g1a1", &[]),
                    entry(4, kind.clone(), "PUBLICATION pghaul_abc_1_g1a1", &[3]),
                    entry(5, T::Publication, "pub", &[]),
                    entry(6, kind, "PUBLICATION pub", &[5]),
                ],
            };
            let passes = Passes::of(&archive, Method::Replication);
            let found: Vec<_> = archive.entries.iter().map(|entry| passes.fate(entry)).collect();
            for left_out in [0, 2] {
                assert!(matches!(found[left_out], Some(Fate::Skip(_))), "{found:?}");
                assert_eq!(found[left_out + 1], found[left_out]);
            }
            assert_eq!(found[5], Some(&Fate::Restore(Pass::AfterData)));
        }
    }
}
