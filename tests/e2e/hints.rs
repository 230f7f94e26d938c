//! Commands in hints, typed as they are printed, lead on: for names that a shell takes apart, with a journal of another name, and
//! where the other journal holds a migration too.

use crate::migration::{Migration, assert_nothing_is_left};
use pghaul_testkit::{ClusterPair, Outcome, Settings, wait_until};
use std::process::Command;
use std::time::Duration;

const DATABASE: &str = "My \"DB\" a'b";
const NEW_NAME: &str = "new 'db'";

/// What a shell makes of the command in a text that contains this.
fn typed(text: &str, part: &str) -> Vec<String> {
    let mut commands = text.split('`').skip(1).step_by(2);
    let command = commands.find(|command| command.starts_with("pghaul ") && command.contains(part));
    let command = command.unwrap_or_else(|| panic!("no command with {part} in {text}"));
    let script = format!("pghaul() {{ printf '%s\\0' \"$@\"; }}; {command}");
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    let words = String::from_utf8(output.stdout).unwrap();
    words.split_terminator('\0').map(str::to_owned).collect()
}

fn follow(migration: &Migration, outcome: &Outcome, part: &str) -> Outcome {
    let words = typed(&format!("{}{}", outcome.stdout, outcome.stderr), part);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    migration.command(&words).run()
}

#[test]
fn a_command_in_a_hint_can_be_typed_as_it_is() {
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    pair.source.create_database(DATABASE);
    pair.source.psql(
        DATABASE,
        "create table t (id int primary key); insert into t select generate_series(1, 9)",
    );
    pair.source.create_database("other");
    let (source, target) = (pair.source.conninfo("postgres"), pair.target.conninfo("postgres"));
    let migration = Migration::between(&source, &target);
    // The migration that a command without --journal would act on.
    migration
        .command(&["run", "--database", "other"])
        .run()
        .succeeded();
    let given = ["--journal", "it's.db", "--name", "mine"];
    let with = |command: &[&str]| migration.command(&[command, &given].concat());
    let renaming = "--rename-database=\"My \"\"DB\"\" a'b\"=new 'db'";
    let begun = with(&["run", "--database", DATABASE, renaming]).run().succeeded();
    let next = r"pghaul remove --journal 'it'\''s.db' --name mine";
    assert!(begun.stdout.contains(next), "{begun}");

    let sql = "select subname from pg_subscription s join pg_database d on d.oid = subdbid and datname = current_database()";
    let subscription = pair.target.psql(NEW_NAME, sql);
    pair.target
        .psql(NEW_NAME, &format!("alter subscription {subscription} disable"));
    wait_until("the slot is free", Duration::from_secs(30), || {
        let sql = format!("select active from pg_replication_slots where slot_name = '{subscription}'");
        pair.source.psql(DATABASE, &sql) == "f"
    });
    pair.source.psql(
        DATABASE,
        &format!("select pg_drop_replication_slot('{subscription}')"),
    );
    pair.source.psql(DATABASE, "insert into t values (10)");
    let status = with(&["status"]).run().failed_with(9);
    follow(&migration, &status, "--restart-data").succeeded();
    with(&["run"]).run().succeeded();
    assert_eq!(pair.target.psql(NEW_NAME, "select count(*) from t"), "10");

    // What takes all of it away also where the target has lost what pghaul knew of it.
    pair.target.psql(NEW_NAME, "drop schema pghaul cascade");
    let status = with(&["status"]).run().failed_with(9);
    let removed = follow(&migration, &status, "--force").succeeded();
    assert!(removed.stdout.contains("migration mine"), "{removed}");
    assert_eq!(pair.target.psql(NEW_NAME, "select count(*) from t"), "10");
    migration.remove().succeeded();
    assert_nothing_is_left(&pair.source, &pair.target);
}
