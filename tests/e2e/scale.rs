//! What a migration asks of the servers, by how much it moves.

use crate::migration::Migration;
use pghaul_testkit::{Cluster, ClusterPair, CpuTime, Pghaul, Settings, hermetic, postgres};
use std::path::Path;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(3600);

/// The most connections that commands open to a server, for a database of two tables. Those of pg_dump and of the subscription are among
/// them.
const RUN: [usize; 2] = [32, 37];
const RUN_AGAIN: [usize; 2] = [8, 11];

/// How often a server is asked something for one more table, at most: what COPY needs, and what pg_dump asks.
const ASKED_FOR_A_TABLE: [f64; 2] = [5.0, 3.0];

/// Tables with keys, sequences, foreign keys, comments; a view and a function for each ten.
const TABLES: &str = "
    do $$
    declare
        one text;
        parent text;
    begin
        for i in FIRST .. UNTIL - 1 loop
            one := format('t%s', i);
            parent := format('t%s', i / 10 * 10);
            execute format('create table %1$I (id serial primary key, parent int references %2$I, name text not null)', one, parent);
            execute format('insert into %1$I (parent, name) values (1, %1$L)', one);
            execute format('comment on table %1$I is %1$L', one);
            if i % 10 = 0 then
                execute format('create view %I as select name from %I', 'v' || one, one);
                execute format('create function %I() returns bigint language sql as $f$select count(*) from %I$f$', 'f' || one, one);
            end if;
            if i % 500 = 499 then
                commit;
            end if;
        end loop;
    end $$";

/// Makes the tables in parts: none takes longer than the limit of one statement.
fn fill(source: &Cluster, database: &str, tables: usize) {
    for first in (0..tables).step_by(2500) {
        let until = tables.min(first + 2500);
        let sql = TABLES.replace("FIRST", &first.to_string());
        source.psql(database, &sql.replace("UNTIL", &until.to_string()));
    }
}

/// A pair whose servers log every connection and every message with statements.
fn listening_pair() -> ClusterPair {
    let settings = || {
        Settings::new()
            .set("log_connections", "on")
            .set("log_statement", "all")
    };
    ClusterPair::start(settings(), settings())
}

/// What both servers have logged while something was done.
fn logged(pair: &ClusterPair, act: impl FnOnce()) -> [String; 2] {
    let both = [&pair.source, &pair.target];
    let before = both.map(|cluster| cluster.log().len());
    act();
    let [source, target] = both.map(Cluster::log);
    [source[before[0]..].to_owned(), target[before[1]..].to_owned()]
}

fn connections(log: &str) -> usize {
    let is_one =
        |line: &&str| line.contains("connection authorized") && line.contains("application_name=pghaul");
    log.lines().filter(is_one).count()
}

/// Messages of pghaul's sessions, pg_dump's among them; several statements in one message count once.
fn messages(log: &str) -> usize {
    let is_one = |line: &&str| {
        line.contains(" pghaul/") && (line.contains("LOG:  statement: ") || line.contains("LOG:  execute "))
    };
    log.lines().filter(is_one).count()
}

#[test]
fn a_small_database_takes_few_connections() {
    let pair = listening_pair();
    pair.source.create_database("shop");
    fill(&pair.source, "shop", 2);
    let migration = Migration::of(&pair.source, &pair.target, "shop");
    for most in [RUN, RUN_AGAIN] {
        let logs = logged(&pair, || {
            let run = migration.with_options("run").args(["--no-rehearsal"]);
            run.run().succeeded();
        });
        let opened = logs.each_ref().map(|log| connections(log));
        println!("connections to source and target: {opened:?}");
        assert!(opened[0] <= most[0] && opened[1] <= most[1], "{opened:?}");
    }
}

#[test]
fn the_servers_are_asked_no_more_for_a_table_when_there_are_many() {
    let pair = listening_pair();
    let [few, many] = [100, 400].map(|tables: usize| {
        let database = format!("tables{tables}");
        pair.source.create_database(&database);
        fill(&pair.source, &database, tables);
        let migration = Migration::of(&pair.source, &pair.target, &database);
        let logs = logged(&pair, || {
            migration.with_options("check").run();
            let run = migration.with_options("run").args(["--no-rehearsal"]);
            run.run().succeeded();
            migration.status();
            migration.remove().succeeded();
        });
        logs.each_ref().map(|log| messages(log))
    });
    println!("messages for 100 tables: {few:?}, for 400: {many:?}");
    for side in [0, 1] {
        let more = many[side].saturating_sub(few[side]);
        #[expect(clippy::cast_precision_loss, reason = "there are thousands")]
        let for_a_table = more as f64 / 300.0;
        assert!(
            for_a_table <= ASKED_FOR_A_TABLE[side],
            "{for_a_table} on side {side}"
        );
    }
}

/// What a command took.
#[derive(Default)]
struct Cost {
    seconds: f64,
    cpu: CpuTime,
    servers_cpu: [f64; 2],
    peak: u64,
}

/// Prints what a command takes; a run also says how long it has waited for its journal.
fn measured(pair: &ClusterPair, name: &str, command: Pghaul) {
    let servers = || [pair.source.cpu_seconds(), pair.target.cpu_seconds()];
    let (begun, before) = (Instant::now(), servers());
    let mut running = command.env("PGHAUL_LOG", "pghaul_store=debug").spawn();
    let mut cost = Cost::default();
    while running.is_running() {
        cost.peak = running.peak_memory().unwrap_or(0).max(cost.peak);
        cost.cpu = running.cpu().unwrap_or(cost.cpu);
        std::thread::sleep(Duration::from_millis(10));
    }
    cost.seconds = begun.elapsed().as_secs_f64();
    let after = servers();
    cost.servers_cpu = [after[0] - before[0], after[1] - before[1]];
    let outcome = running.wait(PATIENCE).succeeded();
    println!(
        "| {name} | {:.1} | {:.1} | {:.1} | {:.1} | {:.1} | {} |",
        cost.seconds,
        cost.cpu.own,
        cost.cpu.children,
        cost.servers_cpu[0],
        cost.servers_cpu[1],
        cost.peak / 1_048_576
    );
    let journal = outcome
        .stderr
        .lines()
        .filter(|line| line.contains("the journal is closed"));
    journal.for_each(|line| println!("  {line}"));
}

/// `PGHAUL_TABLES=20000 PGHAUL_BIN=… cargo test -p pghaul-tests --test e2e each_command_on_many_tables -- --ignored --nocapture`
#[test]
#[ignore = "takes minutes: it measures"]
fn each_command_on_many_tables() {
    let tables = std::env::var("PGHAUL_TABLES").map_or(5000, |tables| tables.parse().unwrap());
    let settings = || Settings::new().set("max_locks_per_transaction", "4096");
    let pair = ClusterPair::start(settings(), settings());
    pair.source.create_database("many");
    pair.source
        .psql("many", "alter database many set statement_timeout = 0");
    fill(&pair.source, "many", tables);
    pair.source.psql("many", "vacuum (freeze, analyze)");
    println!(
        "{tables} tables\n\n| command | s | own CPU s | children's | source's | target's | peak MiB |\n|---|---|---|---|---|---|---|"
    );
    for method in ["replication", "dump"] {
        let migration = Migration::of(&pair.source, &pair.target, "many").options(["--method", method]);
        for command in ["check", "run"] {
            let call = migration.with_options(command).time_limit(PATIENCE);
            measured(&pair, &format!("{command}, {method}"), call);
        }
        for command in ["status", "report", "remove"] {
            let call = migration.command(&[command]).time_limit(PATIENCE);
            measured(&pair, &format!("{command}, {method}"), call);
        }
        pair.target.psql("postgres", "drop database many");
    }
    pair.target.create_database("many");
    let [dump, restore] =
        ["pg_dump", "pg_restore"].map(|name| postgres::client_from(name, pair.source.major()));
    let (source, target) = (pair.source.conninfo("many"), pair.target.conninfo("many"));
    let begun = Instant::now();
    let pipe = "\"$0\" -Fc -d \"$1\" | \"$2\" -d \"$3\"";
    let mut pipe_of_both = hermetic(Path::new("/bin/sh"));
    pipe_of_both
        .args(["-c", pipe])
        .arg(dump)
        .arg(source)
        .arg(restore)
        .arg(target);
    assert!(pipe_of_both.status().unwrap().success());
    println!(
        "| pg_dump -Fc, pg_restore | {:.1} | |",
        begun.elapsed().as_secs_f64()
    );
}
