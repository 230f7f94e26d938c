//! One directory for everything that this test process makes, and the watchdog that clears it away.
//!
//! Destructors of statics do not run, and a killed process runs none at all. So a shell waits at the other
//! end of a pipe whose only writer is this process. When the pipe closes, for whatever reason, the shell ends
//! every process that works below the directory, then removes it. A process counts when its working directory
//! is there, which holds for servers and all their children as well as for every program started here; process
//! ids in files could have been given to somebody else in the meantime.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

const WATCHDOG: &str = include_str!("watchdog.sh");

struct Scratch {
    directory: PathBuf,
    /// Holds the pipe's end that the kernel closes when this process ends.
    _watchdog: Child,
}

/// A new, empty directory of this test process that any user may enter, removed at the latest when it ends.
pub fn directory(label: &str) -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(1);
    static SCRATCH: OnceLock<Scratch> = OnceLock::new();
    let scratch = SCRATCH.get_or_init(Scratch::new);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let directory = scratch.directory.join(format!("{number}-{label}"));
    std::fs::create_dir(&directory).unwrap_or_else(|error| panic!("create {}: {error}", directory.display()));
    open_to_all(&directory);
    directory
}

impl Scratch {
    fn new() -> Self {
        let directory = tempfile::Builder::new()
            .prefix("pghaul-test-")
            .tempdir_in(short_temporary_directory())
            .expect("create a temporary directory")
            .keep();
        open_to_all(&directory);
        let watchdog = Command::new("/bin/sh")
            .args(["-c", WATCHDOG])
            .env("BASE", &directory)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Its own group: what ends all of the tests' group must not end it.
            .process_group(0)
            .spawn()
            .expect("start the watchdog");
        Self {
            directory,
            _watchdog: watchdog,
        }
    }
}

/// Paths of Unix sockets are limited to 107 bytes, which a long `TMPDIR` would exceed.
fn short_temporary_directory() -> PathBuf {
    let directory = std::env::temp_dir()
        .canonicalize()
        .expect("the temporary directory exists");
    if directory.as_os_str().len() > 50 {
        PathBuf::from("/tmp")
    } else {
        directory
    }
}

fn open_to_all(directory: &Path) {
    std::fs::set_permissions(directory, Permissions::from_mode(0o755)).expect("set permissions");
}
