//! What of an archive is left out by the selection: a list beside the archive, made from the source's catalogs as soon as
//! pg_dump has written it. The archive is read without these entries, as if they had never been in it.

use crate::unreadable::unreadable;
use libpgdump::ObjectType;
use pghaul_step::Failure;
use pghaul_step::selection::{ObjectId, SelectedObjects};
use std::collections::BTreeSet;
use std::io;
use std::path::Path;

/// The numbers of the entries that are left out, as pg_dump has numbered them; a JSON array.
const LIST: &str = "left-out.json";

/// Writes the list, before the archive is sealed. Nothing where everything is selected.
pub(crate) fn write(directory: &Path, selected: Option<&SelectedObjects>) -> Result<(), Failure> {
    let Some(selected) = selected else {
        return Ok(());
    };
    let dump = libpgdump::load(directory).map_err(|e| unreadable().with_cause(e))?;
    let left_out = left_out(dump.entries(), selected);
    let written = serde_json::to_vec(&left_out)
        .map_err(io::Error::from)
        .and_then(|text| std::fs::write(directory.join(LIST), text));
    written.map_err(|e| unreadable().with_cause(e))
}

/// Reads the list.
pub(crate) fn read(directory: &Path) -> Result<BTreeSet<i32>, Failure> {
    match std::fs::read(directory.join(LIST)) {
        Ok(text) => serde_json::from_slice(&text).map_err(|e| unreadable().with_cause(e)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(BTreeSet::new()),
        Err(e) => Err(unreadable().with_cause(e)),
    }
}

/// The file that the seal covers besides the archive.
pub(crate) const FILE: &str = LIST;

/// What is not moved, and what is attached to that: comments, rights and labels name no object in the catalogs, but depend on
/// the entry of theirs.
fn left_out(entries: &[libpgdump::Entry], selected: &SelectedObjects) -> BTreeSet<i32> {
    let mut left_out = BTreeSet::new();
    // An entry follows those that it depends on, but for some that pg_dump moves to break a loop: so until nothing changes.
    loop {
        let before = left_out.len();
        for entry in entries {
            let is_out = match id(entry) {
                Some(id) => !selected.holds(id),
                None => !holds_without_id(entry, selected),
            };
            let is_attached =
                id(entry).is_none() && entry.dependencies.iter().any(|id| left_out.contains(id));
            if is_out || is_attached {
                left_out.insert(entry.dump_id);
            }
        }
        if left_out.len() == before {
            return left_out;
        }
    }
}

/// What identifies an entry's object in the source's catalogs.
fn id(entry: &libpgdump::Entry) -> Option<ObjectId> {
    let id = ObjectId {
        catalog: entry.table_oid.parse().ok()?,
        oid: entry.oid.parse().ok()?,
    };
    (id.catalog != 0 && id.oid != 0).then_some(id)
}

/// Entries that pg_dump gives neither an object nor what it depends on.
fn holds_without_id(entry: &libpgdump::Entry, selected: &SelectedObjects) -> bool {
    let tag = entry.tag.as_deref().unwrap_or_default();
    match &entry.desc {
        ObjectType::UserMapping => tag
            .rsplit_once(" SERVER ")
            .is_none_or(|(_, server)| selected.holds_server(server)),
        ObjectType::ShellType => selected.holds_type(entry.namespace.as_deref().unwrap_or_default(), tag),
        _ => true,
    }
}
