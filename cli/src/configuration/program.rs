//! Whether a program of the configuration can be started.

use pghaul_external::definition::Command;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// The bits with which anyone may execute a file.
const EXECUTABLE: u32 = 0o111;

/// What is wrong with the program of a command, where something is.
pub(super) fn problem(command: &Command, folder: &Path) -> Option<String> {
    let command = command.found_from(folder);
    let program = command.0.first()?;
    if !program.contains('/') {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let found = std::env::split_paths(&path).any(|directory| is_executable(&directory.join(program)));
        return (!found).then(|| format!("no directory of PATH has the program {program}"));
    }
    let path = PathBuf::from(program);
    if !path.is_file() {
        return Some(format!("there is no file {program}"));
    }
    if !is_executable(&path) {
        return Some(format!("{program} is not executable: chmod +x {program}"));
    }
    first_line(&path)
        .is_some_and(|line| line.starts_with(b"#!") && line.ends_with(b"\r\n"))
        .then(|| format!("the lines of {program} end with carriage returns, so its interpreter is not found: save it with LF"))
}

fn is_executable(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & EXECUTABLE != 0)
}

fn first_line(path: &Path) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    let mut reader = BufReader::new(File::open(path).ok()?);
    reader.read_until(b'\n', &mut line).ok()?;
    Some(line)
}
