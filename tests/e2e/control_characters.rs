//! Names that write to a terminal: whoever may create a table chooses them.

use crate::migration::Migration;
use pghaul_testkit::{ClusterPair, Outcome, Settings};

/// Colours that pghaul does not use, the title of the window, an empty screen, and a line that looks like pghaul's.
const HOSTILE: &str = "x\u{1b}[8m\u{1b}]0;pwned\u{7}\u{1b}[2J\u{9b}31m\u{202e}\r\nerror: forged";

#[track_caller]
fn is_legible(outcome: &Outcome) {
    for output in [&outcome.stdout, &outcome.stderr] {
        for hostile in [
            "\u{1b}[8m",
            "\u{1b}]",
            "\u{1b}[2J",
            "\u{9b}",
            "\u{202e}",
            "\u{7}",
            "\r",
        ] {
            assert!(!output.contains(hostile), "{hostile:?}: {output:?}");
        }
        assert!(
            !output
                .lines()
                .any(|line| line.trim_start().starts_with("error: forged")),
            "{output}"
        );
    }
}

#[test]
fn names_write_nothing_to_the_terminal_but_themselves() {
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    let database = "d\u{1b}[8m\u{9b}";
    pair.source.psql(
        "postgres",
        &format!("create database \"{database}\"; create role \"r{HOSTILE}\""),
    );
    pair.source.psql(
        database,
        &format!(
            "create schema \"s{HOSTILE}\";
             create table \"s{HOSTILE}\".\"{HOSTILE}\" (i int);
             create table \"k{HOSTILE}\" (\"c{HOSTILE}\" int primary key);
             alter table \"k{HOSTILE}\" add constraint \"f{HOSTILE}\" foreign key (\"c{HOSTILE}\") references \"k{HOSTILE}\";
             create materialized view \"m{HOSTILE}\" as select 1;
             create function f() returns trigger language plpgsql as $$ begin return new; end $$;
             create trigger \"t{HOSTILE}\" before insert on \"k{HOSTILE}\" for each row execute function f();
             alter table \"k{HOSTILE}\" enable always trigger \"t{HOSTILE}\""
        ),
    );
    let migration = Migration::of(&pair.source, &pair.target, "d*").options(["--color", "always", "-vv"]);
    for command in ["check", "plan", "run"] {
        let outcome = migration.with_options(command).run();
        is_legible(&outcome);
        let shown = format!("{}{}", outcome.stdout, outcome.stderr);
        assert!(shown.contains("x\\u001b[8m\\u001b]0;pwned\\u0007"), "{outcome}");
    }
    // What is wrong, and what has changed, is named too.
    pair.source.psql(
        database,
        &format!("create table \"n{HOSTILE}\" (i int); comment on schema \"s{HOSTILE}\" is 'changed'"),
    );
    pair.target.psql(database, &format!("drop table \"k{HOSTILE}\""));
    for arguments in [
        &["run", "--color", "always"][..],
        &["status", "--color", "always"],
        &["history", "--color", "always"],
        &["doctor", "--color", "always"],
        &["remove", "--color", "always"],
    ] {
        is_legible(&migration.command(arguments).run());
    }
    let status = migration.command(&["status", "--json"]).run();
    is_legible(&status);
    let status: serde_json::Value = serde_json::from_str(&status.stdout).expect("JSON");
    let detail = &status["migration"]["migration_detail"][0];
    assert_eq!(detail["dbname"], database, "programs get the name as it is");
}
