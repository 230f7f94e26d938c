//! Out of the file.

use super::line::{Ending, FORMAT, Heading, Line};
use crate::error::StoreError;
use crate::reader::OpenMigration;
use crate::stored::StoredEvent;
use pghaul_core::journal::Head;
use serde::Serialize;
use std::io::Write;
use std::path::Path;

impl OpenMigration {
    /// Writes the whole journal of the migration as text, after verifying it. The same events give the same bytes.
    ///
    /// A runner may go on meanwhile: what it appends later is not in the export.
    ///
    /// # Errors
    /// When the journal is damaged, then nothing is written; or when the text can't be written.
    pub fn export(&self, to: &mut dyn Write) -> Result<Head, StoreError> {
        self.check_structure()?;
        let (_, end) = self.fold(None)?;
        let entry = self.entry();
        let mut written = put(
            to,
            &Heading {
                pghaul_journal: FORMAT,
                migration: entry.id.to_string(),
                name: entry.name.clone(),
                created_at: entry.created_at.clone(),
            },
        );
        let most = i64::try_from(end.seq).unwrap_or(i64::MAX);
        self.scan_from_start(most, |event| {
            if written.is_ok() {
                written = line(event).and_then(|line| put(to, &line));
            }
        })?;
        let head = end.head();
        let ending = Ending {
            head: head.to_string(),
        };
        written
            .and_then(|()| put(to, &ending))
            .and_then(|()| to.flush())
            .map_err(|e| StoreError::io("write the export of", self.path(), e))?;
        Ok(head)
    }

    /// The same into a new file, private to the user, which is there whole or not at all.
    ///
    /// # Errors
    /// As [`Self::export`]; and when the file exists.
    pub fn export_to(&self, path: &Path) -> Result<Head, StoreError> {
        let directory = path.parent().filter(|d| !d.as_os_str().is_empty());
        let directory = directory.unwrap_or(Path::new("."));
        let failed = |e| StoreError::io("write", path, e);
        let mut file = tempfile::Builder::new()
            .prefix(".pghaul-export-")
            .tempfile_in(directory)
            .map_err(failed)?;
        let head = {
            let mut buffered = std::io::BufWriter::new(file.as_file_mut());
            self.export(&mut buffered).map_err(|error| match error {
                StoreError::Io { source, .. } => failed(source),
                other => other,
            })?
        };
        file.as_file().sync_all().map_err(failed)?;
        file.persist_noclobber(path).map_err(|e| failed(e.error))?;
        Ok(head)
    }
}

/// The event's columns. Their types were checked with the chain.
fn line(event: &StoredEvent<'_>) -> std::io::Result<Line> {
    let odd = |_| std::io::Error::from(std::io::ErrorKind::InvalidData);
    Ok(Line {
        seq: event.seq().map_err(odd)?,
        epoch: event.epoch().map_err(odd)?,
        at: event.at().map_err(odd)?.to_owned(),
        database: event.database().map_err(odd)?.map(str::to_owned),
        step: event.step().map_err(odd)?.map(str::to_owned),
        item: event.item().map_err(odd)?.map(str::to_owned),
        kind: event.kind().map_err(odd)?.to_owned(),
        version: event.version().map_err(odd)?,
        payload: event.payload().map_err(odd)?.to_owned(),
        hash: event.hash_hex().map_err(odd)?,
    })
}

fn put(to: &mut dyn Write, line: &impl Serialize) -> std::io::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    to.write_all(&text)
}
