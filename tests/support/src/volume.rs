//! A file system that is small enough to be filled.

use crate::scratch;
use crate::server::hand_to_servers;
use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

const CHUNK: usize = 1024 * 1024;

/// A file system of its own, in memory, owned by the user that servers run as. Dropped, it is unmounted; the end of the
/// test process does the same.
#[derive(Debug)]
pub struct Volume {
    directory: PathBuf,
}

impl Volume {
    /// Mounts one of so many MiB. It needs a right that root has; without it, this says why not.
    pub fn mount(mebibytes: u32) -> Result<Self, String> {
        let directory = scratch::directory("volume");
        let size = format!("size={mebibytes}m,mode=0700");
        let output = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "pghaul-test"])
            .arg(&directory)
            .output()
            .map_err(|error| format!("mount: {error}"))?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
        }
        hand_to_servers(&directory);
        Ok(Self { directory })
    }

    /// A new directory on it that belongs to the user that servers run as.
    pub fn create_directory(&self, name: &str) -> PathBuf {
        let directory = self.directory.join(name);
        std::fs::create_dir(&directory).expect("create a directory");
        hand_to_servers(&directory);
        directory
    }

    /// The directory of that name on it.
    pub fn directory(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Takes all the room that is left.
    pub fn fill(&self) {
        let mut filler = File::create(self.filler()).expect("create the filler");
        // First by large pieces, then whatever room is left by pages.
        for size in [CHUNK, 4096] {
            let piece = vec![0; size];
            while filler.write_all(&piece).is_ok() {}
        }
    }

    /// Gives the room back.
    pub fn free(&self) {
        let _ = std::fs::remove_file(self.filler());
    }

    fn filler(&self) -> PathBuf {
        self.directory.join("filler")
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        // Lazily: a server that ends just now may still have files open.
        let _ = Command::new("umount").arg("--lazy").arg(&self.directory).output();
    }
}
