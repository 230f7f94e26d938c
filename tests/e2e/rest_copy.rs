//! A killed initial copy whose rest pghaul copies itself, from the snapshot of a second slot.

use crate::failures::{await_reading, drop_slot};
use crate::migration::{Migration, assert_nothing_of_it_is_left};
use pghaul_testkit::{ClusterPair, Kind, Load, Running, compare, shared_pair};
use serde_json::Value;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);

/// Copied in this order: the largest first, then the tables of a partition tree, then the small ones together.
const TABLES: &str = "
    create table large (id int primary key, filling text);
    alter table large alter filling set storage plain;
    insert into large select n, repeat(md5(n::text), 30) from generate_series(1, 8000) n;
    create index on large (left(filling, 4));
    create table middle (id int, part int, filling text, primary key (id, part)) partition by list (part);
    create table middle_1 partition of middle for values in (1);
    create table middle_2 partition of middle for values in (2);
    insert into middle select n, 1 + n % 2, repeat(md5(n::text), 30) from generate_series(1, 8000) n;
    create index on middle (id);
    create table small (id int primary key, large int references large, what text unique);
    insert into small select n, n, 'before ' || n from generate_series(1, 100) n;
    create table tiny (id int primary key, small int references small, part int,
                       foreign key (id, part) references middle);
    insert into tiny select n, n, 1 + n % 2 from generate_series(1, 50) n;
    comment on constraint small_large_fkey on small is 'across';
    create function untouched() returns trigger language plpgsql as $$ begin return new; end $$;
    create trigger untouched before insert on small for each row execute function untouched();
    create table keyless (what text);
    insert into keyless values ('a'), ('b')";

const CHANGES: &str = "
    \\set n random(1, 8000)
    begin;
    update large set filling = 'changed' where id = :n;
    update middle set filling = 'changed' where id = :n;
    insert into small (id, large, what) values (:n + 10000, :n, 'new ' || :n) on conflict do nothing;
    delete from tiny where id = :n % 60;
    insert into tiny values (:n % 60, null, null) on conflict do nothing;
    commit;";

/// A migration that was killed when its largest table was complete, and no other.
struct Killed {
    pair: &'static ClusterPair,
    database: String,
    migration: Migration,
}

impl Killed {
    fn new(label: &str) -> Self {
        let pair = shared_pair(Kind::Ordinary);
        let database = pair.fresh_database(label);
        pair.source.psql(&database, TABLES);
        let migration = Migration::of(&pair.source, &pair.target, &database).options([
            "--method",
            "replication",
            "--jobs",
            "1",
            "--rate-limit",
            "4MB",
        ]);
        let killed = Self {
            pair,
            database,
            migration,
        };
        let running = killed.migration.with_options("run").spawn();
        killed.await_middle();
        running.kill9();
        assert_eq!(killed.copied("snapshot-copy"), [r#""public"."large""#]);
        killed
    }

    /// Waits until a partition of the second largest table is on its way.
    fn await_middle(&self) {
        await_reading(&self.pair.source, &self.database, "middle");
    }

    /// Run again, with the rest to be copied by pghaul; until it is on its way.
    fn copy_rest(&self) -> Running {
        let running = self
            .migration
            .with_options("run")
            .args(["--rest-copy", "snapshot"])
            .spawn();
        self.await_middle();
        running
    }

    /// The tables that a step has copied, as the journal has it.
    fn copied(&self, step: &str) -> Vec<String> {
        let events = self.migration.events();
        let items = events
            .iter()
            .filter(|event| event["kind"] == "item_finished" && event["step"] == step);
        items
            .map(|event| event["payload"]["outcome"]["table"].to_string())
            .map(|text| serde_json::from_str::<String>(&text).expect("a name"))
            .collect()
    }

    /// pghaul's slots and subscriptions, without the id of the migration.
    fn objects(&self) -> [String; 2] {
        let name = |column: &str| format!("string_agg({column}::text, ' ' order by {column})");
        let slots = format!(
            "select {} from pg_replication_slots where database = current_database()",
            name("slot_name")
        );
        let subscriptions = format!(
            "select {} from pg_subscription where subenabled and subdbid = (select oid from pg_database where datname = current_database())",
            name("subname")
        );
        let suffixes = |text: String| {
            let suffix = |name: &str| name.rsplit('_').next().unwrap_or_default().to_owned();
            text.split_whitespace().map(suffix).collect::<Vec<_>>().join(" ")
        };
        [
            suffixes(self.pair.source.psql(&self.database, &slots)),
            suffixes(self.pair.target.psql(&self.database, &subscriptions)),
        ]
    }

    /// Up to date, and completed by the removal; then both sides are the same and nothing is left.
    fn ends_equal(&self) {
        let (migration, pair, database) = (&self.migration, self.pair, &self.database);
        let status = migration.status_of(database);
        assert_eq!(status["status"], "syncing", "{status:#}");
        migration.remove().succeeded();
        assert_nothing_of_it_is_left(migration, pair, database);
        compare::same(&pair.source, &pair.target, database);
        migration.command(&["journal", "verify"]).run().succeeded();
    }
}

#[test]
fn what_is_left_is_copied_from_a_second_snapshot() {
    let killed = Killed::new("rest_copied");
    let load = Load::with_script(&killed.pair.source, &killed.database, CHANGES);
    killed.copy_rest().wait(PATIENCE).succeeded();
    assert_eq!(killed.objects(), ["g1a1 g2a1", "g1a1 g2a1"]);
    let report = load.stop();
    assert_eq!((report.errors, report.messages.as_str()), (0, ""));
    let mut rest = killed.copied("rest-copy");
    rest.sort();
    let expected = ["middle_1", "middle_2", "small", "tiny"].map(|name| format!(r#""public"."{name}""#));
    assert_eq!(rest, expected);
    let status = killed.migration.status_of(&killed.database);
    let incomplete = status["incomplete"].as_array().expect("a list");
    let objects: Vec<&Value> = incomplete.iter().map(|one| &one["object"]).collect();
    assert_eq!(
        objects,
        [
            "foreign key small_large_fkey of table public.small",
            "comment on CONSTRAINT small_large_fkey ON small in schema public",
            "table public.keyless"
        ]
    );
    // Each subscription gets a part of it: with that foreign key, none could apply it.
    killed.pair.source.psql(
        &killed.database,
        "truncate large, small, tiny; insert into large values (1, 'new'); insert into small values (1, 1, 'new')",
    );
    killed.migration.run().succeeded();
    killed.ends_equal();
}

#[test]
fn killed_again_only_the_rest_begins_anew() {
    let killed = Killed::new("rest_killed");
    let load = Load::with_script(&killed.pair.source, &killed.database, CHANGES);
    for _ in 0..2 {
        let running = killed.copy_rest();
        running.kill9();
        assert_eq!(killed.objects()[1], "");
    }
    // The decision is in the journal.
    killed.migration.run().succeeded();
    assert_eq!(killed.objects(), ["g1a1 g2a3", "g1a1 g2a1"]);
    let report = load.stop();
    assert_eq!((report.errors, report.messages.as_str()), (0, ""));
    assert_eq!(killed.copied("snapshot-copy").len(), 2, "large and keyless");
    killed.migration.run().succeeded();
    killed.ends_equal();
}

#[test]
fn what_is_rewritten_under_the_second_snapshot_is_left_to_the_workers() {
    let killed = Killed::new("rest_rewritten");
    let running = killed.copy_rest();
    killed.pair.source.psql(
        &killed.database,
        "truncate small, tiny; insert into small values (1, 1, 'after'), (2, 2, 'later'); insert into tiny values (1, 1)",
    );
    running.wait(PATIENCE).succeeded();
    let mut rest = killed.copied("rest-copy");
    rest.sort();
    assert_eq!(
        rest,
        ["middle_1", "middle_2"].map(|name| format!(r#""public"."{name}""#))
    );
    killed.migration.run().succeeded();
    killed.ends_equal();
}

#[test]
fn without_its_second_snapshot_the_run_goes_on_with_another() {
    let killed = Killed::new("rest_lost");
    let running = killed.copy_rest();
    killed.pair.source.psql(
        &killed.database,
        "select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = current_database() and application_name like 'pghaul/%'",
    );
    running.wait(PATIENCE).succeeded();
    assert_eq!(killed.objects(), ["g1a1 g2a2", "g1a1 g2a1"]);
    killed.ends_equal();
}

#[test]
fn data_that_are_given_up_are_those_of_both() {
    let killed = Killed::new("rest_restarted");
    killed.copy_rest().wait(PATIENCE).succeeded();
    let (migration, pair, database) = (&killed.migration, killed.pair, &killed.database);
    let second = "select subname from pg_subscription where subname like '%g2a1' and subdbid = (select oid from pg_database where datname = current_database())";
    let second = pair.target.psql(database, second);
    drop_slot(pair, database, &second);
    let status = migration.status_of(database);
    assert_eq!(status["status"], "failed", "{status:#}");
    let restarted = migration
        .with_options("run")
        .args(["--restart-data", database])
        .run();
    restarted.succeeded();
    assert_eq!(killed.objects(), ["g1a2", "g1a2"]);
    // Both tables are in one subscription now: the foreign key between them is no longer held back.
    migration.command(&["remove", "--force"]).run().succeeded();
    compare::same(&pair.source, &pair.target, database);
    assert_nothing_of_it_is_left(migration, pair, database);
}

#[test]
fn removed_in_the_middle_nothing_of_either_is_left() {
    let killed = Killed::new("rest_removed");
    killed.copy_rest().kill9();
    killed.migration.command(&["remove", "--force"]).run().succeeded();
    assert_nothing_of_it_is_left(&killed.migration, killed.pair, &killed.database);
    killed.migration.command(&["journal", "verify"]).run().succeeded();
}
