//! `remove` sees whether the source is still written to, and whether what was copied once was written to since.

use crate::failures::Holder;
use crate::migration::{Migration, assert_nothing_of_it_is_left};
use pghaul_testkit::{Cluster, ClusterPair, Kind, Load, Settings, compare, shared_pair, wait_until};
use serde_json::Value;
use std::process::Command;
use std::time::Duration;

/// The exit code of `remove` when it refuses.
const NOT_SAFE_TO_REMOVE: i32 = 8;

const ROWS: &str = "create table book (id bigserial primary key, title text);
     insert into book (title) select 'book ' || n from generate_series(1, 200) n";

/// The last event that says that a removal begins.
fn removal_started(migration: &Migration) -> Value {
    let events = migration.events();
    let found = events.iter().rfind(|event| event["kind"] == "removal_started");
    found.expect("a removal has begun")["payload"].clone()
}

#[test]
fn a_source_that_is_written_to_is_left_only_to_who_says_so() {
    // Slots of other tests would wait for the transactions that are open here.
    let pair = &ClusterPair::start(Settings::new(), Settings::new());
    let database = pair.fresh_database("writes");
    pair.source.psql(&database, ROWS);
    let migration = Migration::of(&pair.source, &pair.target, &database).options(["--method", "replication"]);
    migration.run().succeeded();
    let refused = |what: &str| {
        let refusal = migration.remove().failed_with(NOT_SAFE_TO_REMOVE);
        assert!(refusal.stderr.contains("error[not-safe-to-remove]"), "{refusal}");
        assert!(refusal.stderr.contains(what), "{what:?} is missing\n{refusal}");
        assert!(refusal.stderr.contains("--applications-still-write"), "{refusal}");
        assert_eq!(
            migration.status_of(&database)["status"],
            "syncing",
            "it still follows"
        );
    };

    // It has an id and has committed nothing, and may go on for hours.
    let open = Holder::start(
        &pair.source,
        &database,
        "begin; insert into book (title) values ('open')",
    );
    refused("session ");
    drop(open);
    pair.source.psql(
        &database,
        "begin; insert into book (title) values ('prepared'); prepare transaction 'later'",
    );
    refused("prepared transaction 'later'");
    pair.source.psql(&database, "commit prepared 'later'");
    let load = Load::with_script_at(
        &pair.source,
        &database,
        "insert into book (title) values ('x');",
        50,
    );
    refused(&database);

    let remove = migration.command(&["remove", "--applications-still-write"]);
    remove.run().succeeded();
    assert_eq!(load.stop().errors, 0, "the source's application saw an error");
    let begun = removal_started(&migration);
    assert!(
        begun["left"][0]["why"].is_string() && begun["by"].is_string(),
        "{begun}"
    );
    assert_nothing_of_it_is_left(&migration, pair, &database);
    let status = migration.status_of(&database);
    assert_eq!(status["status"], "removed");
    assert_ne!(
        status["incomplete"],
        Value::Array(Vec::new()),
        "it is not forgotten: {status}"
    );
}

#[test]
fn sessions_that_write_nothing_here_do_not_matter() {
    // Slots of other tests would wait for the transactions that are open here.
    let pair = &ClusterPair::start(Settings::new(), Settings::new());
    let [database, other] = ["quiet", "elsewhere"].map(|label| pair.fresh_database(label));
    pair.source.psql(&database, ROWS);
    pair.source.psql(&other, ROWS);
    let migration = Migration::of(&pair.source, &pair.target, &database).options(["--method", "replication"]);
    migration.run().succeeded();
    let _reads = Holder::start(
        &pair.source,
        &database,
        "begin; declare reading cursor for table book",
    );
    let _writes = Holder::start(&pair.source, &other, "begin; delete from book");
    let load = Load::with_script(&pair.source, &other, "insert into book (title) values ('x');");
    pair.source.psql(&database, "vacuum analyze");
    let removed = migration.remove().succeeded();
    load.stop();
    assert!(
        removed.stderr.contains("1 session of others on the source"),
        "{removed}"
    );
    assert_eq!(removal_started(&migration)["connected"], 1);
    compare::same(&pair.source, &pair.target, &database);
}

/// What was written to a dumped database after its copy, and the object that is named then.
const WRITTEN: &[(&str, &str)] = &[
    (
        "insert into book (id, title) values (1000, 'late')",
        "table public.book",
    ),
    ("update book set title = 'late' where id = 7", "table public.book"),
    ("delete from book where id = 7", "table public.book"),
    ("truncate book", "table public.book"),
    (
        "copy book (id, title) from program 'echo 1000,late' with (format csv)",
        "table public.book",
    ),
    (
        "select pg_stat_reset(); insert into book (id, title) values (1000, 'late')",
        "table public.book",
    ),
    ("insert into scratch values (1)", "table public.scratch"),
    ("select nextval('ticket')", "sequence public.ticket"),
    // These change what the plan says of the schema, and can't be copied again.
    (
        "begin; create table same as table book; drop table book; alter table same rename to book; commit",
        "table public.book",
    ),
    ("create table leaflet (id int)", "table public.leaflet"),
];

/// How many of them change rows alone.
const ROWS_ALONE: usize = WRITTEN.len() - 2;

/// What changes counters or files, and no row.
const NOTHING: &[&str] = &[
    "vacuum full book; analyze",
    "begin; delete from book; rollback",
    "select pg_stat_reset()",
    "select from book for update",
];

fn dumped(pair: &ClusterPair, number: usize) -> Vec<String> {
    let names = (0..number).map(|_| pair.fresh_database("dumped"));
    names
        .inspect(|name| {
            pair.source.psql(
                name,
                &format!("{ROWS}; create unlogged table scratch (n int); create sequence ticket; create table empty (n int)"),
            );
        })
        .collect()
}

fn of_all(pair: &ClusterPair, names: &[String]) -> Migration {
    let migration = Migration::between(
        &pair.source.conninfo("postgres"),
        &pair.target.conninfo("postgres"),
    );
    let migration = migration.options(["--method", "dump"]);
    names.iter().fold(migration, |migration, name| {
        migration.options(["--database", name])
    })
}

fn copied_once_and_written_to_since(pair: &ClusterPair) {
    let names = dumped(pair, WRITTEN.len());
    let migration = of_all(pair, &names);
    let run = migration.run().succeeded();
    for name in &names {
        assert!(run.stdout.contains(&format!("--restart-data {name}")), "{run}");
    }
    for (name, (statement, _)) in names.iter().zip(WRITTEN) {
        pair.source.psql(name, statement);
    }
    let refusal = migration.remove().failed_with(NOT_SAFE_TO_REMOVE);
    for (name, (statement, object)) in names.iter().zip(WRITTEN) {
        let named = refusal
            .stderr
            .lines()
            .any(|line| line.contains(&format!("{name}: {object}")));
        assert!(named, "{statement:?} in {name} is not noticed\n{refusal}");
    }
    let again: Vec<&String> = names.iter().take(ROWS_ALONE).collect();
    let options = again
        .iter()
        .flat_map(|name| ["--restart-data".to_owned(), (*name).clone()]);
    let restart = migration.with_options("run").args(options);
    restart.run().succeeded();
    for name in again {
        compare::same(&pair.source, &pair.target, name);
    }
    let refusal = migration.remove().failed_with(NOT_SAFE_TO_REMOVE);
    assert_eq!(refusal.stderr.matches(": table ").count(), 2, "{refusal}");
    let remove = migration.command(&["remove", "--applications-still-write"]);
    remove.run().succeeded();
    assert_nothing_of_it_is_left(&migration, pair, &names[0]);
}

#[test]
fn what_was_copied_once_and_written_to_since_is_named_and_copied_again() {
    copied_once_and_written_to_since(shared_pair(Kind::Ordinary));
}

#[test]
fn also_before_statistics_were_shared() {
    copied_once_and_written_to_since(shared_pair(Kind::Versions(13, 16)));
}

#[test]
fn no_false_alarm_where_nothing_was_written() {
    let pair = shared_pair(Kind::Ordinary);
    let names = dumped(pair, NOTHING.len());
    let migration = of_all(pair, &names);
    migration.run().succeeded();
    let _idle = Holder::start(&pair.source, &names[0], "begin; commit");
    for (name, statement) in names.iter().zip(NOTHING) {
        pair.source.psql(name, statement);
    }
    migration.remove().succeeded();
    for name in &names {
        compare::same(&pair.source, &pair.target, name);
    }
}

/// The snapshot does not see what a transaction commits later that was open then, although its rows are older; rows of a
/// subtransaction have its id, which the snapshot does not name.
#[test]
fn a_transaction_that_was_open_while_the_snapshot_was_taken_is_noticed() {
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    pair.source.create_database("shop");
    pair.source.psql("shop", ROWS);
    pair.source.psql("shop", &ROWS.replace("book", "shelf"));
    pair.source.psql(
        "shop",
        "begin; update book set title = 'open' where id = 7;
         savepoint s; update shelf set title = 'open' where id = 7; release savepoint s; prepare transaction 'open';
         update book set title = 'a later transaction' where id = 8",
    );
    let migration = Migration::of(&pair.source, &pair.target, "shop").options(["--method", "dump"]);
    migration.run().succeeded();
    migration.remove().failed_with(NOT_SAFE_TO_REMOVE);
    pair.source
        .psql("shop", "commit prepared 'open'; select pg_stat_reset()");
    let refusal = migration.remove().failed_with(NOT_SAFE_TO_REMOVE);
    for table in ["book", "shelf"] {
        let named = format!("shop: table public.{table}: written on the source since");
        assert!(refusal.stderr.contains(&named), "{named}\n{refusal}");
    }
    let remove = migration.command(&["remove", "--applications-still-write"]);
    remove.run().succeeded();
    let left = migration.status_of("shop")["incomplete"].to_string();
    assert!(left.contains("table public.book"), "{left}");

    // A crash loses the counters: here they are then what they were when the table was copied.
    pair.source.create_database("kiosk");
    pair.source.psql(
        "kiosk",
        "create table paper (id int primary key, title text); insert into paper values (1, 'news')",
    );
    pair.source.psql("kiosk", "select pg_stat_reset()");
    let migration = Migration::of(&pair.source, &pair.target, "kiosk").options(["--method", "dump"]);
    migration.run().succeeded();
    pair.source.psql("kiosk", "update paper set title = 'more news'");
    crash(&pair.source, "kiosk");
    let refusal = migration.remove().failed_with(NOT_SAFE_TO_REMOVE);
    let named = "kiosk: table public.paper: written on the source since";
    assert!(refusal.stderr.contains(named), "{refusal}");
}

/// Kills a backend, after which a server recovers as from a crash, without another start of its first process.
fn crash(cluster: &Cluster, database: &str) {
    let _idle = Holder::start(cluster, database, "begin");
    let sql = format!(
        "select pid from pg_stat_activity where datname = '{database}' and state = 'idle in transaction'"
    );
    let pid = cluster.psql("postgres", &sql);
    let killed = Command::new("kill")
        .args(["-9", pid.trim()])
        .status()
        .expect("kill");
    assert!(killed.success());
    wait_until("the server has recovered", Duration::from_secs(60), || {
        cluster
            .log()
            .contains("all server processes terminated; reinitializing")
            && cluster.try_psql("postgres", "select 1").is_ok()
    });
}

/// A process that dies between stopping the subscription and removing it leaves nothing that a next one can't use.
#[test]
fn a_removal_that_was_killed_after_it_stopped_the_subscription_is_taken_back_by_a_run() {
    let pair = shared_pair(Kind::Ordinary);
    let database = pair.fresh_database("stopped");
    pair.source.psql(&database, ROWS);
    let migration = Migration::of(&pair.source, &pair.target, &database).options(["--method", "replication"]);
    migration.run().succeeded();
    let enabled = || {
        let sql = "select subenabled from pg_subscription join pg_database d on d.oid = subdbid and datname = current_database()";
        pair.target.psql(&database, sql)
    };
    let stopped = (2..40).any(|position| {
        let remove = migration
            .command(&["remove"])
            .env("PGHAUL_CRASH_AT", position.to_string());
        assert!(
            remove.run().status.code().is_none(),
            "it came to its end before it stopped"
        );
        enabled() == "f"
    });
    assert!(stopped, "it never died there");
    let status = migration.status_of(&database);
    assert!(
        status["error"]
            .to_string()
            .contains("removal that was interrupted"),
        "{status}"
    );
    pair.source
        .psql(&database, "insert into book (title) values ('late')");
    migration.run().succeeded();
    assert_eq!(enabled(), "t");
    migration.remove().succeeded();
    compare::same(&pair.source, &pair.target, &database);
}
