//! The example package outside of the workspace: it compiles against two packages alone, its own tests pass, and its program has its
//! check, its step and its name.

use crate::migration::Migration;
use pghaul_testkit::{Kind, shared_pair};
use std::path::{Path, PathBuf};
use std::process::Command;

fn package() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/examples/standalone")
}

/// A call for the package, which compiles what the workspace has compiled with the same versions.
fn for_package(arguments: &[&str]) -> Command {
    let mut command = pghaul_testkit::cargo();
    // Where the workspace is built: another directory would compile everything once more.
    let own = std::env::current_exe().expect("a program");
    let target = own.ancestors().nth(3).expect("target/debug/deps/e2e");
    command
        .args(arguments)
        .current_dir(package())
        .env("CARGO_TARGET_DIR", target);
    command
}

/// What a manifest says of how packages are compiled for development.
fn profile(manifest: &Path) -> String {
    let text = std::fs::read_to_string(manifest).expect("read a manifest");
    let (_, from) = text.split_once("[profile.dev]").expect("a profile");
    let lines = from
        .lines()
        .take_while(|line| !line.starts_with("[profile.") || line.starts_with("[profile.dev."));
    let said = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    said.collect::<Vec<_>>().join("\n")
}

#[test]
fn it_compiles_libraries_as_the_workspace_does() {
    let manifest = package().join("Cargo.toml");
    assert_eq!(
        profile(&manifest),
        profile(&package().join("../../../Cargo.toml")),
        "else all of them are compiled twice"
    );
}

#[test]
fn a_package_of_its_own_has_its_check_its_step_and_its_name() {
    let pair = shared_pair(Kind::Ordinary);
    let (source, target) = (&pair.source, &pair.target);
    let lock = package().join("../../../Cargo.lock");
    std::fs::copy(lock, package().join("Cargo.lock")).expect("copy the versions");

    let filled = pair.fresh_database("standalone");
    target.create_database(&filled);
    for server in [source, target] {
        server.psql(&filled, "create table t (id int primary key)");
    }
    let output = for_package(&["test", "--quiet", "--tests"])
        .env("SOURCE", source.conninfo(&filled))
        .env("TARGET", target.conninfo(&filled))
        .output()
        .expect("run cargo");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("2 passed"), "{said}");

    // What the package's tests were compiled with is not compiled once more without the battery.
    let own = std::env::current_exe().expect("a program");
    let program = own.ancestors().nth(2).expect("target/debug").join("shop-haul");

    let database = pair.fresh_database("standalone");
    source.psql(&database, "create table t (id int primary key)");
    let migration = Migration::of(source, target, &database);
    let by = |arguments: &[&str]| migration.command(arguments).program(&program).run();
    assert_eq!(by(&["--version"]).succeeded().stdout, "shop-haul 1.0.0\n");
    let unknown = by(&["describe", "size-limits"]);
    assert!(
        unknown.stderr.contains("did you mean \"size-limit\"?"),
        "{unknown}"
    );
    let nothing = by(&["status"]);
    assert!(nothing.stderr.contains("shop-haul run"), "{nothing}");
    migration.with_options("run").program(&program).run().succeeded();
    // `remove` calls `complete`: the rights stay.
    by(&["remove"]).succeeded();
    let readable = "select has_table_privilege('public', 't', 'select')";
    assert_eq!(target.psql(&database, readable), "t");
}
