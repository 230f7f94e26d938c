//! The programs of the workspace, as cargo builds them.

use crate::postgres::project;
use std::path::PathBuf;
use std::process::Command;

/// A binary or an example of the workspace, optimized where this crate is. Cargo decides whether there is anything to
/// build.
///
/// All are built at once and for the whole workspace, as `.ci/run` has built them: for one package alone, cargo would
/// choose other features of the libraries, and compile everything once more.
///
/// # Panics
/// When it can't be built.
pub fn built(program: &str) -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--quiet", "--workspace", "--bins", "--examples"])
        .arg("--message-format=json-render-diagnostics")
        .args((!cfg!(debug_assertions)).then_some("--release"))
        .current_dir(project())
        .output()
        .expect("run cargo");
    assert!(
        output.status.success(),
        "cargo build: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let messages = String::from_utf8_lossy(&output.stdout);
    let executable = messages.lines().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let target = message.get("target")?;
        let named = target.get("name")? == program;
        let executable = message.get("executable").filter(|_| named)?;
        Some(PathBuf::from(executable.as_str()?))
    });
    executable.expect("cargo names the program")
}
