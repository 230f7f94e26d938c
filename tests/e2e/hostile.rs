//! Clusters that are hard to move: names, passwords, objects, and databases that can't be moved at all.

use crate::kills::killed_until_done;
use crate::migration::{Migration, assert_nothing_is_left};
use pghaul_testkit::compare::{self, Difference, Options};
use pghaul_testkit::fixtures::{self, HOSTILE_DATABASES, HOSTILE_FULL, HOSTILE_ROLE};
use pghaul_testkit::{Cluster, ClusterPair, Load, Settings, identifier};
use std::fmt::Write as _;
use std::time::Duration;

const MOVER: &str = r#"mover "of" it's @all%"#;
const PASSWORD: &str = r#"it's "p a s s" %40 w@rd/\:?#[&]=+;$1"#;

/// The exit code of a run that a check has stopped.
const CHECK_FAILED: i32 = 3;

const KILLS: u32 = 10;
/// What a move of all databases takes without kills on a fast machine.
const EXPECTED: Duration = Duration::from_secs(4);

/// Databases that can't be moved, and what is said about each.
const IMMOVABLE: [(&str, &str); 3] = [
    ("no entry", "may not connect to database"),
    ("closed", "does not accept connections"),
    ("row-security", "may hide rows"),
];

/// A table without a key that the application works on: all its rows hold the same number, at any time. The number
/// and the moment of each change are written down beside it.
const COUNTED: &str = "
    create table counted (place integer, number bigint not null);
    create table moment (number bigint primary key, lsn pg_lsn not null);
    insert into counted select i, 0 from generate_series(1, 20) i;";

const COUNT: &str = "\
begin;
select pg_advisory_xact_lock(7);
update counted set number = number + 1;
insert into moment select max(number), pg_current_wal_insert_lsn() from counted;
commit;
\\sleep 5 ms
";

/// All that differs from the source while replication runs: triggers that would fire for replicated changes, and the
/// table that the application goes on with. Keys in a circle and materialized views do not.
const HELD_BACK: [&str; 4] = [
    "EVENT TRIGGER hostile; event",
    r#"TRIGGER Odd "Schema" 🐘.parent always"#,
    r#"TRIGGER Odd "Schema" 🐘.parent replica"#,
    "rows of public.counted",
];

/// The role that migrates is no superuser, and nearly as mighty.
fn create_mover(source: &Cluster, target: &Cluster, owners: &[&str]) {
    let password = PASSWORD.replace('\'', "''");
    let mover = identifier(MOVER);
    let owners: Vec<String> = owners.iter().map(|name| identifier(name)).collect();
    source.psql(
        "postgres",
        &format!(
            "create role {mover} login replication password '{password}'; grant {} to {mover}",
            owners.join(", ")
        ),
    );
    target.psql(
        "postgres",
        &format!("create role {mover} login superuser password '{password}'"),
    );
}

fn uri(cluster: &Cluster) -> String {
    let encoded = |text: &str| {
        let mut encoded = String::new();
        for byte in text.bytes() {
            write!(encoded, "%{byte:02X}").unwrap();
        }
        encoded
    };
    format!(
        "postgresql://{}:{}@127.0.0.1:{}/postgres",
        encoded(MOVER),
        encoded(PASSWORD),
        cluster.port()
    )
}

fn key_value(cluster: &Cluster) -> String {
    cluster.conninfo_as(MOVER, PASSWORD, "postgres")
}

fn hostile_pair() -> ClusterPair {
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    fixtures::hostile(&pair.source);
    pair.source.psql(HOSTILE_FULL, COUNTED);
    create_mover(
        &pair.source,
        &pair.target,
        &["postgres", HOSTILE_ROLE, "Ünïcode group 🐘"],
    );
    pair
}

fn add_immovable(source: &Cluster) {
    for (database, _) in IMMOVABLE {
        source.create_database(database);
    }
    fixtures::rowsec(source, "row-security");
    source.psql(
        "postgres",
        r#"create role stranger;
           alter database "no entry" owner to stranger;
           revoke all on database "no entry" from public;
           alter database closed allow_connections false"#,
    );
}

/// What differs between two databases of the same name.
fn differences(source: &Cluster, target: &Cluster, database: &str) -> Vec<Difference> {
    compare::databases((source, database), (target, database), &Options::default())
}

#[test]
fn everything_is_dumped_under_any_name() {
    let ClusterPair { source, target } = &hostile_pair();
    let migration = Migration::between(&key_value(source), &key_value(target))
        .options(["--method=dump", "--databases-at-once=4"]);
    killed_until_done(&migration.with_options("run"), EXPECTED, KILLS);
    assert_eq!(migration.status()["status"], "done");
    assert_nothing_is_left(source, target);
    for database in HOSTILE_DATABASES {
        compare::same(source, target, database);
    }
}

#[test]
fn everything_is_replicated_under_any_name() {
    let ClusterPair { source, target } = &hostile_pair();
    let migration = Migration::between(&uri(source), &uri(target)).options(["--databases-at-once=4"]);
    let load = Load::with_script(source, HOSTILE_FULL, COUNT);
    killed_until_done(&migration.with_options("run"), EXPECTED, KILLS);
    let report = load.stop();
    assert_eq!((report.errors, report.messages.as_str()), (0, ""));
    migration.with_options("run").run().succeeded();
    assert_eq!(migration.status()["status"], "syncing");
    assert_counted_as_of_its_copy(&migration, source, target);

    for database in HOSTILE_DATABASES.iter().filter(|name| **name != HOSTILE_FULL) {
        compare::same(source, target, database);
    }
    let found = differences(source, target, HOSTILE_FULL);
    let subjects: Vec<&str> = found.iter().map(|one| one.subject.as_str()).collect();
    assert_eq!(subjects, HELD_BACK, "{found:#?}");
    migration.command(&["remove", "--force"]).run().succeeded();
    assert_nothing_is_left(source, target);
}

/// The target has the rows that the source had when the table was copied, of one moment, which `status` names.
fn assert_counted_as_of_its_copy(migration: &Migration, source: &Cluster, target: &Cluster) {
    let status = migration.status_of(HOSTILE_FULL);
    let incomplete = status["incomplete"].as_array().expect("a list");
    let counted = incomplete
        .iter()
        .find(|one| one["object"] == "table public.counted");
    let as_of = counted
        .and_then(|one| one["as_of"].as_str())
        .unwrap_or_else(|| panic!("{status:#}"));
    let rows = target.rows(
        HOSTILE_FULL,
        "select number, count(*) from counted group by number",
    );
    let [row] = rows.as_slice() else {
        panic!("rows of several moments: {rows:?}")
    };
    let [number, count] = row.as_slice() else {
        panic!("{row:?}")
    };
    assert_eq!(count, "20");
    let last = source.psql(HOSTILE_FULL, "select max(number) from moment");
    let then = source.psql(
        HOSTILE_FULL,
        &format!("select max(number) from moment where lsn <= '{as_of}'"),
    );
    let [number, then, last] = [number, &then, &last].map(|text| text.parse::<u64>().expect("a number"));
    println!("copied at {number}, {as_of} is about {then}, stopped at {last}");
    // The position is read a little after the snapshot is taken, while the application goes on.
    assert!(
        number <= then && then - number < 200,
        "{number} was copied, but {as_of} is about {then}"
    );
    assert!(number < last, "the application did nothing after the copy");
}

#[test]
fn what_cannot_be_moved_stops_the_run_before_it_begins() {
    let ClusterPair { source, target } = &ClusterPair::start(Settings::new(), Settings::new());
    for movable in ["my-shop", "it's"] {
        source.create_database(movable);
        fixtures::shop(source, movable);
    }
    create_mover(source, target, &["postgres"]);
    add_immovable(source);
    let there = "select datname from pg_database union all select rolname from pg_roles order by 1";
    let before = target.psql("postgres", there);

    let migration = Migration::between(&uri(source), &key_value(target));
    let refusal = migration.run().failed_with(CHECK_FAILED);
    for (database, finding) in IMMOVABLE {
        let named = |line: &str| line.contains(database) && line.contains(finding);
        assert!(
            refusal.stderr.lines().any(named),
            "{database:?} is missing\n{refusal}"
        );
    }
    assert_eq!(target.psql("postgres", there), before);
    assert_nothing_is_left(source, target);

    // The others are moved when it is said that these need not be.
    let excluding = IMMOVABLE.map(|(database, _)| format!("--exclude-database={database}"));
    let excluding = Migration::between(&uri(source), &key_value(target))
        .options(excluding.each_ref().map(String::as_str))
        .options(["--method", "dump"]);
    excluding.run().succeeded();
    for movable in ["my-shop", "it's"] {
        compare::same(source, target, movable);
        target.psql("postgres", &format!("drop database {}", identifier(movable)));
    }

    // The same migration goes on past them when it is told to; that they are not there stays an error.
    migration
        .with_options("run")
        .args(["--on-check-failure", "database"])
        .run()
        .failed_with(CHECK_FAILED);
    for (database, _) in IMMOVABLE {
        assert_eq!(migration.status_of(database)["status"], "failed");
    }
    for movable in ["my-shop", "it's"] {
        assert_eq!(migration.status_of(movable)["status"], "syncing");
        compare::same(source, target, movable);
    }
    migration.command(&["remove", "--incomplete"]).run().succeeded();
    assert_nothing_is_left(source, target);
}
