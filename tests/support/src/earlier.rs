//! A cluster in an earlier state, as after the restore of a backup; and one that was promoted.

use crate::{Cluster, Stop};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Copies of a cluster's directories at one moment.
#[derive(Debug)]
pub struct Kept(Vec<Copied>);

#[derive(Debug)]
struct Copied {
    belongs: PathBuf,
    copy: PathBuf,
}

/// Copies a directory or a file with its owners and rights.
pub fn copy_all(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").args([from, to]).status();
    assert!(copied.expect("run cp").success(), "can't copy {}", from.display());
}

impl Cluster {
    /// A copy of its files and of the given tablespaces, taken while it is stopped.
    pub fn keep(&self, tablespaces: &[PathBuf]) -> Kept {
        self.stop(Stop::Fast);
        let data = self.data_dir();
        let all = std::iter::once(&data).chain(tablespaces);
        let copied = all.enumerate().map(|(number, belongs)| {
            let copy = data.with_extension(format!("kept{number}"));
            copy_all(belongs, &copy);
            Copied {
                belongs: belongs.clone(),
                copy,
            }
        });
        let kept = Kept(copied.collect());
        self.start_again();
        kept
    }

    /// Puts it into the state that was kept.
    pub fn put_back(&self, Kept(copied): Kept) {
        self.stop(Stop::Fast);
        for Copied { belongs, copy } in copied {
            fs::remove_dir_all(&belongs).expect("remove what there is");
            copy_all(&copy, &belongs);
            fs::remove_dir_all(&copy).expect("remove the copy");
        }
        self.start_again();
    }

    /// Lets it begin a new timeline, as a standby does whose primary is lost: nothing is missing, but nobody could tell.
    pub fn promote(&self) {
        self.stop(Stop::Fast);
        let signal = self.data_dir().join("standby.signal");
        fs::write(&signal, "").expect("write standby.signal");
        let owner = Command::new("chown")
            .arg("--reference")
            .args([self.data_dir(), signal])
            .status();
        assert!(owner.expect("run chown").success());
        self.start_again();
        assert_eq!(self.psql("postgres", "select pg_promote()"), "t");
    }
}
