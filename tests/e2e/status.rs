//! `status` from another terminal: who works and at what, what is known, and what is not.

use crate::failures::Holder;
use crate::migration::Migration;
use pghaul_testkit::{Cluster, ClusterPair, Settings, wait_until};
use std::process::Command;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn a_run_of_another_terminal_is_seen_and_one_that_was_killed_is_not_taken_for_it() {
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    pair.source.create_database("shop");
    pair.source.psql(
        "shop",
        "create table book (id int primary key); insert into book values (1)",
    );
    // The slot can't be made as long as this transaction is open.
    let holder = Holder::start(&pair.source, "postgres", "begin; create table late ()");
    let migration = Migration::of(&pair.source, &pair.target, "shop").options(["--method", "replication"]);
    let run = migration.with_options("run").spawn();
    wait_until("status shows what the run waits for", PATIENCE, || {
        let shown = migration.command(&["status"]).run().stdout;
        shown.contains("\nat work\n  process ")
            && shown.contains("\n  shop: step slot, waiting for transactions ")
    });
    let running = &migration.status()["running"];
    assert_eq!(
        running["progress"]["databases"]["shop"]["step"], "slot",
        "{running:#}"
    );
    assert_eq!(
        running["process"]["pid"], running["progress"]["pid"],
        "{running:#}"
    );

    run.kill9();
    let killed = migration.command(&["status"]).run().succeeded();
    assert!(killed.stdout.contains("\nthe last run was killed\n"), "{killed}");
    assert!(!killed.stdout.contains("at work"), "{killed}");
    assert!(migration.status()["running"].is_null());

    drop(holder);
    migration.run().succeeded();
    let idle = migration.command(&["status"]).run().succeeded();
    assert!(
        !idle.stdout.contains("at work") && !idle.stdout.contains("killed"),
        "{idle}"
    );

    pair.source.stop(pghaul_testkit::Stop::Fast);
    let unknown = migration.command(&["status"]).run().failed_with(4);
    let headline = unknown.stdout.lines().next().unwrap_or_default();
    assert!(
        headline.ends_with(": syncing as of the last check, not checked now"),
        "{unknown}"
    );
}

#[test]
fn what_is_written_after_a_one_time_copy_is_shown_with_the_command_that_copies_it() {
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    pair.source.create_database("stats");
    pair.source.psql(
        "stats",
        "create table hit (id int primary key); insert into hit values (1)",
    );
    let migration = Migration::of(&pair.source, &pair.target, "stats").options(["--method", "dump"]);
    migration.run().succeeded();
    let untouched = migration.command(&["status"]).run().succeeded();
    assert!(!untouched.stdout.contains("written on the source"), "{untouched}");

    pair.source.psql("stats", "insert into hit values (2)");
    let written = migration.command(&["status"]).run().succeeded();
    assert!(
        written.stdout.contains("stats: table public.hit: ")
            && written
                .stdout
                .contains("`pghaul run --restart-data stats` copies it again"),
        "{written}"
    );
    let run = migration.with_options("run").args(["--restart-data", "stats"]);
    run.run().succeeded();
    let copied = migration.command(&["status"]).run().succeeded();
    assert!(!copied.stdout.contains("written on the source"), "{copied}");

    // A finished copy needs no server.
    pair.source.stop(pghaul_testkit::Stop::Fast);
    let unchecked = migration.command(&["status"]).run().succeeded();
    assert!(
        unchecked.stdout.contains("\nnot checked now\n  stats: "),
        "{unchecked}"
    );
}

/// A server process that is held where it is, until this is dropped.
struct Held(String);

impl Held {
    fn background_writer(cluster: &Cluster) -> Self {
        let sql = "select pid from pg_stat_activity where backend_type = 'background writer'";
        let held = Self(cluster.psql("postgres", sql).trim().to_owned());
        held.signal("-STOP");
        held
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.0]).status();
        assert!(sent.expect("start kill").success());
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.signal("-CONT");
    }
}

/// Pages are pruned by whoever reads them, and where no commit follows, nothing sends the WAL of it on its way.
#[test]
fn what_a_quiet_source_has_in_memory_is_flushed_for_the_proof() {
    let pair = ClusterPair::start(Settings::new().set("autovacuum", "off"), Settings::new());
    pair.source.create_database("quiet");
    pair.source.psql(
        "quiet",
        "create table page (id int primary key, filler text) with (fillfactor = 40);
         insert into page select n, repeat('x', 200) from generate_series(1, 500) n;
         create table keyless as table page",
    );
    let migration = Migration::of(&pair.source, &pair.target, "quiet").options(["--method", "replication"]);
    migration.run().succeeded();

    // What is left in memory is flushed by nobody else, except at the next checkpoint. The removal reads both tables.
    let held = Held::background_writer(&pair.source);
    let written = "update page set filler = repeat('y', 200); update keyless set filler = repeat('y', 200)";
    pair.source.psql("quiet", written);
    migration.remove().succeeded();
    drop(held);
}
