//! The programs of the workspace, as cargo builds them.

use crate::postgres::project;
use std::path::PathBuf;
use std::process::Command;

/// A call of cargo, as from a shell.
///
/// It does not see what cargo tells a test about its package: build scripts that look at the same variables, as that of `ring` does, would
/// run again for each package, and all that needs them would be compiled again.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        let of_package = ["CARGO_PKG_", "CARGO_MANIFEST_", "OUT_DIR"];
        if of_package
            .iter()
            .any(|begin| name.to_string_lossy().starts_with(begin))
        {
            command.env_remove(name);
        }
    }
    command
}

/// A binary or an example of the workspace, optimized where this crate is. Cargo decides whether there is anything to
/// build.
///
/// All are built at once and for the whole workspace, as `.ci/run` has built them: for one package alone, cargo would
/// choose other features of the libraries, and compile everything once more.
///
/// # Panics
/// When it can't be built.
pub fn built(program: &str) -> PathBuf {
    let output = cargo()
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
