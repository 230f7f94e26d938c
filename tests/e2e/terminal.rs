//! What people see: stdout, stderr and exit status of a simple migration.

use crate::migration::Migration;
use pghaul_testkit::{ClusterPair, Pghaul, Settings, fixtures, redact};

/// What depends on the machine, how fast it is and which servers it has; and columns that are as wide as a number
/// that is masked.
const FILTERS: &[(&str, &str)] = &[
    (r"(?m)^.*: (?:waiting|copied)\b.*\n", ""),
    // Waits are journaled where they are long, which depends on the machine; with them the numbers of events.
    (r"(?m)^.*<time>  waited .*\n", ""),
    // What takes long depends on the machine, too.
    (r"(?m)^  (?:slowest|retries|waits) .*\n|^ {14}.*\n", ""),
    (r"(?m)^ *\d+  <time>  ", "  "),
    (r"journal  \d+:", "journal  <n>:"),
    (
        r"started by .+ on \S+, process",
        "started by <user> on <host>, process",
    ),
    (r"PostgreSQL \d+(?:\.\d+)*", "PostgreSQL <version>"),
    (r"(?m)(\S) {2,}", "$1  "),
];

fn seen(pghaul: Pghaul) -> String {
    redact(&pghaul.run().to_string())
}

#[test]
fn a_simple_migration() {
    // What other tests leave for a moment, such as the slot of a run that was killed, would be a finding.
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    // The name stands in the snapshots.
    pair.source.create_database("terminal");
    fixtures::shop(&pair.source, "terminal");
    let migration = Migration::of(&pair.source, &pair.target, "terminal");
    insta::with_settings!({ filters => FILTERS.iter().copied() }, {
        insta::assert_snapshot!("check", seen(migration.with_options("check")));
        insta::assert_snapshot!("plan", seen(migration.with_options("plan")));
        // One worker finishes the tables in the same order every time.
        let run = migration.with_options("run").args(["--jobs", "1"]);
        insta::assert_snapshot!("run", seen(run));
        insta::assert_snapshot!("status", seen(migration.command(&["status"])));
        insta::assert_snapshot!("remove", seen(migration.command(&["remove"])));
        insta::assert_snapshot!("history", seen(migration.command(&["history"])));
    });
}
