//! A file that only this user can read, and that is gone with the value.

use std::io::Result;
use std::path::Path;

/// In memory: other processes of this user reach it through this process' descriptor.
#[cfg(target_os = "linux")]
#[derive(Debug)]
pub(super) struct PrivateFile {
    _file: std::fs::File,
    path: std::path::PathBuf,
}

#[cfg(target_os = "linux")]
impl PrivateFile {
    pub(super) fn new(text: &str) -> Result<Self> {
        use rustix::fs::{MemfdFlags, Mode, fchmod, memfd_create};
        use std::io::Write as _;
        use std::os::fd::AsRawFd as _;
        let descriptor = memfd_create("pghaul", MemfdFlags::CLOEXEC)?;
        // libpq reads no password file that others may read.
        fchmod(&descriptor, Mode::RUSR | Mode::WUSR)?;
        let mut file = std::fs::File::from(descriptor);
        file.write_all(text.as_bytes())?;
        let path = format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd());
        Ok(Self {
            _file: file,
            path: path.into(),
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
pub(super) struct PrivateFile(tempfile::NamedTempFile);

#[cfg(not(target_os = "linux"))]
impl PrivateFile {
    pub(super) fn new(text: &str) -> Result<Self> {
        use std::io::Write as _;
        let mut file = tempfile::NamedTempFile::with_prefix("pghaul-")?;
        file.write_all(text.as_bytes())?;
        Ok(Self(file))
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }
}
