//! The archive that `pg_dump` wrote: its table of contents, entry by entry.

mod renamed;

use crate::left_out;
use crate::seal;
use crate::unreadable::unreadable;
use libpgdump::ObjectType;
use pghaul_step::{Failure, hex};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeSet, HashMap};
use std::path::Path;

/// One entry of the archive: a few statements that make, change or describe one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its place in the archive, from 1. pg_dump numbers its entries by the order in which it happened to read the
    /// catalogs; another archive of the same schema has other numbers, but every entry in the same place.
    pub(crate) id: i32,
    /// The kind of object.
    pub(crate) kind: ObjectType,
    /// The schema of the object; empty for objects that have none.
    pub(crate) namespace: String,
    /// The name, for objects of a table preceded by the table's name.
    pub(crate) tag: String,
    /// The owner, empty where the object has none.
    pub(crate) owner: String,
    /// The statements.
    pub(crate) statements: String,
    /// The statement that would drop it; says how the object is named in `ALTER … OWNER TO`.
    pub(crate) drop_statement: String,
    /// The tablespace, empty for the database's default.
    pub(crate) tablespace: String,
    /// The table access method, empty for the default.
    pub(crate) access_method: String,
    /// Whether it is a partitioned table. Archives of a pg_dump before 17 do not say so; there such a table has no
    /// access method.
    pub(crate) partitioned: bool,
    /// The major version of the pg_dump that wrote it.
    pub(crate) written_by: u32,
    /// Whether it belongs before the data.
    pub(crate) before_data: bool,
    /// The places of the entries that it depends on, in ascending order.
    pub(crate) dependencies: Vec<i32>,
}

#[cfg(test)]
impl Entry {
    /// An entry that has a kind and a tag only.
    pub(crate) fn bare(kind: ObjectType, tag: &str) -> Self {
        Self {
            id: 1,
            kind,
            namespace: String::new(),
            tag: tag.to_owned(),
            owner: String::new(),
            statements: String::new(),
            drop_statement: String::new(),
            tablespace: String::new(),
            access_method: String::new(),
            partitioned: false,
            written_by: 18,
            before_data: false,
            dependencies: Vec::new(),
        }
    }
}

impl Entry {
    /// How error messages and journal items name it: `INDEX public.orders_by_day`.
    pub(crate) fn label(&self) -> String {
        let name = if self.namespace.is_empty() {
            self.tag.clone()
        } else {
            format!("{}.{}", self.namespace, self.tag)
        };
        format!("{} {name}", self.kind.as_str())
    }

    /// How `status` names it, and a user who accepts that it is missing: `index public.orders_by_day`.
    pub(crate) fn object(&self) -> String {
        let kind = self.kind.as_str().to_lowercase();
        let within = |text: String| match self.namespace.as_str() {
            "" => text,
            schema => format!("{text} in schema {schema}"),
        };
        match &self.kind {
            ObjectType::Comment => within(format!("comment on {}", self.tag)),
            ObjectType::SecurityLabel => within(format!("security label of {}", self.tag)),
            ObjectType::Acl => within(format!("privileges on {}", self.tag)),
            ObjectType::DefaultAcl => within("default privileges".to_owned() + " " + &self.tag),
            _ => match self.of_table() {
                Some((table, name)) => {
                    let kind = match self.kind {
                        ObjectType::FkConstraint => "foreign key",
                        ObjectType::CheckConstraint => "check constraint",
                        _ => &kind,
                    };
                    format!("{kind} {name} of table {}.{table}", self.namespace)
                }
                None if self.namespace.is_empty() => format!("{kind} {}", self.tag),
                None => format!("{kind} {}.{}", self.namespace, self.tag),
            },
        }
    }

    /// The table and the own name of an object that pg_dump tags with both, where the tag is not ambiguous.
    fn of_table(&self) -> Option<(&str, &str)> {
        let tagged = matches!(
            self.kind,
            ObjectType::Constraint
                | ObjectType::FkConstraint
                | ObjectType::CheckConstraint
                | ObjectType::Trigger
                | ObjectType::Rule
                | ObjectType::Policy
        );
        let (table, name) = self.tag.split_once(' ').filter(|_| tagged)?;
        (!name.contains(' ')).then_some((table, name))
    }

    /// Whether its statements may hold a secret: options of foreign data, such as the password of a user mapping.
    pub(crate) fn may_hold_a_secret(&self) -> bool {
        use ObjectType as T;
        matches!(
            self.kind,
            T::UserMapping | T::Server | T::ForeignServer | T::ForeignDataWrapper | T::ForeignTable
        )
    }

    /// Whether rows that are older than it may violate it. Constraints that are part of their table or domain have
    /// no entry, but for keys: what is left is NOT VALID, but for some that a domain or table needs later.
    pub(crate) fn may_be_violated(&self) -> bool {
        match self.kind {
            ObjectType::CheckConstraint => true,
            // NOT NULL, from PostgreSQL 18 on.
            ObjectType::Constraint => self.statements.trim_end().ends_with(" NOT VALID;"),
            _ => false,
        }
    }
}

/// The archive of one database.
#[derive(Debug, Clone)]
pub(crate) struct Archive {
    /// The entries in the order in which they are to be restored.
    pub(crate) entries: Vec<Entry>,
}

impl Archive {
    /// Reads the table of contents in a directory that `pg_dump -Fd --schema-only` wrote.
    ///
    /// Nothing of it is looked at before [`seal::verify`] has found it as it was written: a length that a flipped bit
    /// made is memory that is asked for.
    pub(crate) fn read(directory: &Path) -> Result<Self, Failure> {
        seal::verify(directory)?;
        let dump = libpgdump::load(directory).map_err(|e| unreadable().with_cause(e))?;
        let left_out = left_out::read(directory)?;
        let entries = dump.entries().iter();
        let mut entries: Vec<&libpgdump::Entry> = entries
            .filter(|entry| !left_out.contains(&entry.dump_id))
            .collect();
        // Statistics are no part of the schema: other places do not depend on them.
        entries.sort_by_key(|entry| entry.desc == ObjectType::StatisticsData);
        let numbers = entries.iter().map(|entry| entry.dump_id);
        let places: HashMap<i32, i32> = numbers.zip(1..).collect();
        let written_by = major(dump.dump_version());
        let entries = entries.into_iter().zip(1..);
        Ok(Self {
            entries: entries
                .map(|(entry, place)| Entry {
                    written_by,
                    ..read(entry, place, &places)
                })
                .collect(),
        })
    }

    /// The places of the chosen entries, and of all that depend on one of them.
    pub(crate) fn with_dependents(&self, chosen: impl Fn(&Entry) -> bool) -> BTreeSet<i32> {
        let mut found = BTreeSet::new();
        for entry in &self.entries {
            if chosen(entry) || entry.dependencies.iter().any(|id| found.contains(id)) {
                found.insert(entry.id);
            }
        }
        found
    }

    /// The encoding in which pg_dump has written its texts.
    pub(crate) fn encoding(&self) -> &str {
        let entry = self
            .entries
            .iter()
            .find(|entry| entry.kind == ObjectType::Encoding);
        let quoted = entry.and_then(|entry| entry.statements.split('\'').nth(1));
        quoted.unwrap_or("UTF8")
    }

    /// The SHA-256 of everything that decides what will be sent to the target, and in which order. The journal keeps
    /// it, so that a resumed run can tell whether it still has the same archive; names of files, pg_dump's numbers and
    /// times of day don't matter.
    pub(crate) fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        // Statistics change with every ANALYZE.
        let schema = |entry: &&Entry| entry.kind != ObjectType::StatisticsData;
        for entry in self.entries.iter().filter(schema) {
            for text in [
                entry.kind.as_str(),
                &entry.namespace,
                &entry.tag,
                &entry.owner,
                &entry.statements,
                &entry.drop_statement,
                &entry.tablespace,
                &entry.access_method,
            ] {
                hash.update((text.len() as u64).to_le_bytes());
                hash.update(text);
            }
            hash.update([u8::from(entry.before_data)]);
            hash.update((entry.dependencies.len() as u64).to_le_bytes());
            for place in &entry.dependencies {
                hash.update(place.to_le_bytes());
            }
        }
        hex(&hash.finalize())
    }
}

/// The major version in a text such as `15.20 (Debian 15.20-1)` or `19beta1`.
fn major(version: &str) -> u32 {
    let digits = version.split(|c: char| !c.is_ascii_digit()).next();
    digits.and_then(|digits| digits.parse().ok()).unwrap_or_default()
}

fn read(entry: &libpgdump::Entry, place: i32, places: &HashMap<i32, i32>) -> Entry {
    // pg_dump also names objects that have no entry.
    let known = entry.dependencies.iter().filter_map(|id| places.get(id).copied());
    let mut dependencies: Vec<i32> = known.collect();
    dependencies.sort_unstable();
    Entry {
        id: place,
        kind: entry.desc.clone(),
        namespace: entry.namespace.clone().unwrap_or_default(),
        tag: entry.tag.clone().unwrap_or_default(),
        owner: entry.owner.clone().unwrap_or_default(),
        statements: entry.defn.clone().unwrap_or_default(),
        drop_statement: entry.drop_stmt.clone().unwrap_or_default(),
        tablespace: entry.tablespace.clone().unwrap_or_default(),
        access_method: entry.tableam.clone().unwrap_or_default(),
        partitioned: entry.relkind == Some('p'),
        written_by: 0,
        before_data: entry.section == libpgdump::Section::PreData,
        dependencies,
    }
}

#[cfg(test)]
mod tests;
