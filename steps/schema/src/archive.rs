//! The archive that `pg_dump` wrote: its table of contents, entry by entry.

use libpgdump::ObjectType;
use pghaul_step::{Code, Failure, Side};
use sha2::{Digest as _, Sha256};
use std::path::Path;

/// One entry of the archive: a few statements that make, change or describe one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its number in the archive.
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
    /// Whether it belongs before the data.
    pub(crate) before_data: bool,
    /// The numbers of the entries that it depends on.
    pub(crate) dependencies: Vec<i32>,
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
}

/// The archive of one database.
#[derive(Debug, Clone)]
pub(crate) struct Archive {
    /// The entries in the order in which they are to be restored.
    pub(crate) entries: Vec<Entry>,
}

impl Archive {
    /// Reads the table of contents in a directory that `pg_dump -Fd --schema-only` wrote.
    pub(crate) fn read(directory: &Path) -> Result<Self, Failure> {
        let dump = libpgdump::load(directory).map_err(|e| {
            Failure::new(Code::ToolFailed, "the archive that pg_dump wrote can't be read")
                .with_side(Side::Source)
                .with_cause(e)
                .with_hint("check that the disk of the state directory is not full, and run again")
        })?;
        let entries = dump.entries().iter().map(entry).collect();
        Ok(Self { entries })
    }

    /// The SHA-256 of everything that will be sent to the target. The journal keeps it, so that a resumed run
    /// can tell whether it still has the same archive; names of files and times of day don't matter.
    pub(crate) fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        let mut add = |text: &str| {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        };
        for entry in &self.entries {
            // Statistics change with every ANALYZE, and are no part of the schema.
            if entry.kind == ObjectType::StatisticsData {
                continue;
            }
            add(entry.kind.as_str());
            for text in [
                &entry.namespace,
                &entry.tag,
                &entry.owner,
                &entry.statements,
                &entry.tablespace,
            ] {
                add(text);
            }
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn entry(entry: &libpgdump::Entry) -> Entry {
    Entry {
        id: entry.dump_id,
        kind: entry.desc.clone(),
        namespace: entry.namespace.clone().unwrap_or_default(),
        tag: entry.tag.clone().unwrap_or_default(),
        owner: entry.owner.clone().unwrap_or_default(),
        statements: entry.defn.clone().unwrap_or_default(),
        drop_statement: entry.drop_stmt.clone().unwrap_or_default(),
        tablespace: entry.tablespace.clone().unwrap_or_default(),
        access_method: entry.tableam.clone().unwrap_or_default(),
        before_data: entry.section == libpgdump::Section::PreData,
        dependencies: entry.dependencies.clone(),
    }
}
