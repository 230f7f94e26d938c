//! What a migration asks of the servers, by how much it moves.

use crate::migration::Migration;
use pghaul_testkit::{Cluster, ClusterPair, Pghaul, Settings, hermetic, postgres};
use std::path::Path;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(3600);

/// The most connections that commands open to a server, for a database of two tables. Those of pg_dump and of the subscription are among
/// them.
const RUN: [usize; 2] = [32, 37];
const RUN_AGAIN: [usize; 2] = [8, 10];

/// How often a server is asked something for one more table, at most: what COPY needs, and what pg_dump asks.
const ASKED_FOR_A_TABLE: [f64; 2] = [5.0, 3.0];

/// Tables with keys, sequences, foreign keys, comments; a view and a function for each ten.
const TABLES: &str = "
    do $$
    declare
        one text;
        parent text;
    begin
        for i in 0 .. TABLES - 1 loop
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
    pair.source.psql("shop", &TABLES.replace("TABLES", "2"));
    let migration = Migration::of(&pair.source, &pair.target, "shop");
    for most in [RUN, RUN_AGAIN] {
        let logs = logged(&pair, || {
            migration.run().succeeded();
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
        pair.source
            .psql(&database, &TABLES.replace("TABLES", &tables.to_string()));
        let migration = Migration::of(&pair.source, &pair.target, &database);
        let logs = logged(&pair, || {
            migration.with_options("check").run();
            migration.run().succeeded();
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

/// The seconds that a command takes, and the most memory that was seen.
fn measured(name: &str, command: Pghaul) {
    let begun = Instant::now();
    let mut running = command.spawn();
    let mut peak = 0;
    while running.is_running() {
        peak = running.peak_memory().unwrap_or(0).max(peak);
        std::thread::sleep(Duration::from_millis(20));
    }
    let seconds = begun.elapsed().as_secs_f64();
    let outcome = running.wait(PATIENCE).succeeded();
    drop(outcome);
    println!("| {name} | {seconds:.1} | {} |", peak / 1_048_576);
}

/// `PGHAUL_TABLES=20000 PGHAUL_BIN=… cargo test -p pghaul-tests --test e2e each_command_on_many_tables -- --ignored --nocapture`
#[test]
#[ignore = "takes minutes: it measures"]
fn each_command_on_many_tables() {
    let tables = std::env::var("PGHAUL_TABLES").unwrap_or_else(|_| "5000".to_owned());
    let settings = || Settings::new().set("max_locks_per_transaction", "4096");
    let pair = ClusterPair::start(settings(), settings());
    pair.source.create_database("many");
    pair.source
        .psql("many", "alter database many set statement_timeout = 0");
    pair.source.psql("many", &TABLES.replace("TABLES", &tables));
    pair.source.psql("many", "vacuum (freeze, analyze)");
    println!("{tables} tables\n\n| command | s | peak MiB |\n|---|---|---|");
    for method in ["replication", "dump"] {
        let migration = Migration::of(&pair.source, &pair.target, "many").options(["--method", method]);
        for command in ["check", "plan", "run"] {
            let call = migration.with_options(command).time_limit(PATIENCE);
            measured(&format!("{command}, {method}"), call);
        }
        for command in ["status", "remove"] {
            let call = migration.command(&[command]).time_limit(PATIENCE);
            measured(&format!("{command}, {method}"), call);
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
