//! The checksum beside the archive: whether its bytes are still those that `pg_dump` wrote.

use crate::left_out;
use crate::unreadable::unreadable;
use pghaul_step::{Failure, hex};
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io;
use std::path::Path;

/// All that an archive of a schema consists of.
const CONTENTS: &str = "toc.dat";

/// The SHA-256 of [`CONTENTS`], in hexadecimal digits and a line feed.
const SEAL: &str = "toc.sha256";

/// Writes the checksum of an archive that `pg_dump` has just finished. Both files and the directory are durable
/// afterwards.
pub(crate) fn set(directory: &Path) -> io::Result<()> {
    let contents = directory.join(CONTENTS);
    let bytes = std::fs::read(&contents)?;
    std::fs::write(directory.join(SEAL), seal_of(&bytes))?;
    let left_out = directory.join(left_out::FILE);
    if left_out.exists() {
        File::open(left_out)?.sync_all()?;
    }
    for path in [&contents, &directory.join(SEAL), directory] {
        File::open(path)?.sync_all()?;
    }
    Ok(())
}

/// Checks that the archive is as it was when its checksum was written.
pub(crate) fn verify(directory: &Path) -> Result<(), Failure> {
    let read = |name| {
        let path = directory.join(name);
        std::fs::read(&path).map_err(|e| unreadable().with_cause(format!("{}: {e}", path.display())))
    };
    let (bytes, seal) = (read(CONTENTS)?, read(SEAL)?);
    if seal == seal_of(&bytes).as_bytes() {
        return Ok(());
    }
    Err(unreadable().with_cause(format!(
        "{} is not as pg_dump wrote it: its SHA-256 is not the one in {SEAL}",
        directory.join(CONTENTS).display()
    )))
}

fn seal_of(bytes: &[u8]) -> String {
    format!("{}\n", hex(&Sha256::digest(bytes)))
}
