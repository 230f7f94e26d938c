//! Writes the journals of a release.

use crate::state::{Bench, STATES};
use std::path::{Path, PathBuf};

/// Not for a normal run of the tests: see `write.sh`.
#[test]
#[ignore = "writes the journals of a release, when it is made"]
fn journals_of_a_release() {
    let (Some(release), Some(program)) = (
        std::env::var_os("PGHAUL_RELEASE"),
        std::env::var_os("PGHAUL_RELEASE_BIN"),
    ) else {
        println!("skipped: tests/histories/write.sh says which release");
        return;
    };
    let only = std::env::var("PGHAUL_STATE").ok();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("histories")
        .join(release);
    std::fs::create_dir_all(&directory).expect("make the release's directory");
    let bench = Bench::new(&PathBuf::from(program));
    let wanted = STATES
        .iter()
        .filter(|(name, _)| only.as_deref().is_none_or(|only| only == *name));
    for (name, lead_to) in wanted {
        println!("{name}");
        let export = lead_to(&bench).export();
        let home = std::env::temp_dir();
        for of_this_machine in [
            home.to_str().expect("UTF-8"),
            env!("CARGO_MANIFEST_DIR"),
            "moves things",
        ] {
            assert!(
                !export.contains(of_this_machine),
                "{name} has {of_this_machine}:\n{export}"
            );
        }
        std::fs::write(directory.join(format!("{name}.jsonl")), export).expect("write the journal");
    }
}
