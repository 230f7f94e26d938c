//! Data directories: made by initdb once for each installation, and copied for each cluster, which takes a tenth of
//! the time.
//!
//! A copy would be the same cluster as far as PostgreSQL can tell, and pghaul moves no cluster to itself. So each gets
//! a system identifier of its own: in the control file, and where segments of the write-ahead log begin. What changes
//! it otherwise, `pg_resetwal`, is not part of every installation.

use crate::postgres::Installation;
use crate::scratch;
use crate::server::Server;
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

type Templates = BTreeMap<PathBuf, Arc<OnceLock<PathBuf>>>;

/// Gives the server a data directory as initdb makes it.
pub(crate) fn fill(server: &Server) {
    let template = of(server.installation());
    // Owners and modes stay: servers refuse directories of others.
    let copied = Command::new("cp")
        .args(["-a", "--sparse=always"])
        .arg(&template)
        .arg(server.data())
        .status();
    assert!(copied.expect("run cp").success(), "copy {}", template.display());
    identify(&server.data());
}

/// The template of this installation; whoever comes first makes it, and the others wait.
fn of(installation: &Installation) -> PathBuf {
    static TEMPLATES: Mutex<Templates> = Mutex::new(BTreeMap::new());
    let template = {
        let mut templates = TEMPLATES.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(templates.entry(installation.bin.clone()).or_default())
    };
    template.get_or_init(|| initdb(installation)).clone()
}

fn initdb(installation: &Installation) -> PathBuf {
    let label = format!("template-{}", installation.major);
    let server = Server::new(installation.clone(), scratch::directory(&label));
    let options = [
        "--username=postgres",
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C.UTF-8",
        "--no-sync",
    ];
    server.run("initdb", &options);
    server.data()
}

/// Gives a data directory of a server that does not run another system identifier.
fn identify(data: &Path) {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let own = change(&data.join("global/pg_control"), |bytes| count_up(bytes, number));
    for entry in std::fs::read_dir(data.join("pg_wal")).expect("read pg_wal") {
        let path = entry.expect("read pg_wal").path();
        if path.is_file() {
            change(&path, |segment| *field(segment, 24) = own);
        }
    }
}

/// The control file begins with the identifier. Behind its last field stands the checksum of all; where, depends on
/// the version.
fn count_up(bytes: &mut [u8], number: u64) -> [u8; 8] {
    let ends_with_checksum = |end: &usize| {
        let (fields, rest) = bytes.split_at(*end);
        rest.starts_with(&checksum(fields))
    };
    let end = (8..bytes.len()).step_by(4).find(ends_with_checksum);
    let (fields, rest) = bytes.split_at_mut(end.expect("a control file has a checksum"));
    let identifier = field(fields, 0);
    *identifier = u64::from_ne_bytes(*identifier).wrapping_add(number).to_ne_bytes();
    let own = *identifier;
    *field(rest, 0) = checksum(fields);
    own
}

/// Changes the first page of a file.
fn change<T>(path: &Path, change: impl FnOnce(&mut [u8]) -> T) -> T {
    let mut page = [0; 8192];
    let file = File::options().read(true).write(true).open(path);
    let file = file.unwrap_or_else(|error| panic!("open {}: {error}", path.display()));
    file.read_exact_at(&mut page, 0).expect("read a page");
    let result = change(&mut page);
    file.write_all_at(&page, 0).expect("write a page");
    result
}

fn field<const N: usize>(bytes: &mut [u8], start: usize) -> &mut [u8; N] {
    let rest = bytes.get_mut(start..).and_then(|rest| rest.first_chunk_mut());
    rest.expect("a file as PostgreSQL writes it")
}

fn checksum(fields: &[u8]) -> [u8; 4] {
    crc32c::crc32c(fields).to_ne_bytes()
}
