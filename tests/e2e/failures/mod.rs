//! What goes wrong around a migration: each time one clear error, the right exit code, nothing where it must not
//! be; and when the cause is fixed, `run` comes to its end as if nothing had happened.

mod arguments;
mod environment;
mod journal;
mod journal_moved;
mod lost;
mod outage;
mod password;
mod preconditions;
mod raised;
mod secrets;
mod target;
mod waiting;

use crate::migration::Migration;
use pghaul_testkit::{Cluster, ClusterPair, Outcome, Settings, compare, postgres, wait_until};
use std::io::Write as _;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

/// Passwords of the role `mover`, a superuser, on each side.
const SOURCE_PASSWORD: &str = "kn0ck-knock-Source";
const TARGET_PASSWORD: &str = "kn0ck-knock-Target";

/// Servers that these tests share. They have a role `mover` each; only the source has the role `newcomer`.
fn servers() -> &'static ClusterPair {
    static SERVERS: OnceLock<ClusterPair> = OnceLock::new();
    SERVERS.get_or_init(|| {
        let pair = ClusterPair::start(Settings::new(), Settings::new());
        let mover = |password| format!("create role mover superuser login password '{password}'");
        pair.source.psql("postgres", &mover(SOURCE_PASSWORD));
        pair.target.psql("postgres", &mover(TARGET_PASSWORD));
        pair
    })
}

/// Two tables with keys, one without, and what hangs on them.
const ROWS: &str = "
    create table book (id serial primary key, title text not null);
    insert into book (title) select 'book ' || n from generate_series(1, 300) n;
    create table loan (id int primary key, book int references book);
    insert into loan select n, n from generate_series(1, 100) n;
    create index on book (title);
";

/// A table that takes long enough to copy that something can happen meanwhile.
pub(crate) const MANY_ROWS: &str = "
    create table many (id int primary key, filler text);
    insert into many select n, repeat('x', 100) from generate_series(1, 400000) n;
";

/// A database of its own on the source, with [`ROWS`].
fn database(pair: &ClusterPair, label: &str) -> String {
    let name = pair.fresh_database(label);
    pair.source.psql(&name, ROWS);
    name
}

/// The one error of an outcome, with all that is said about it.
#[track_caller]
fn error(outcome: &Outcome, exit_code: i32, code: &str) -> String {
    let text = the_error(outcome, exit_code, code);
    assert!(text.contains("\nhint: "), "there is no hint\n{outcome}");
    text
}

#[track_caller]
fn the_error(outcome: &Outcome, exit_code: i32, code: &str) -> String {
    assert_eq!(
        outcome.status.code(),
        Some(exit_code),
        "another exit code\n{outcome}"
    );
    let errors = outcome.stderr.matches("error[").count();
    assert_eq!(errors, 1, "not one error\n{outcome}");
    let found = outcome.stderr.find(&format!("error[{code}]: "));
    let begin = found.unwrap_or_else(|| panic!("no error[{code}]\n{outcome}"));
    outcome.stderr[begin..].to_owned()
}

/// The roles of a cluster, and all that is there of one database, to see that a refusal created nothing. Tests
/// side by side have other databases.
fn inventory(cluster: &Cluster, database: &str) -> String {
    let sql = "
        select 'role ' || rolname from pg_roles
        union all select 'database ' || datname from pg_database where datname = 'NAME'
        union all select 'slot ' || slot_name from pg_replication_slots where database = 'NAME'
        union all select 'subscription ' || subname from pg_subscription
            where subdbid = (select oid from pg_database where datname = 'NAME') order by 1";
    cluster.psql("postgres", &sql.replace("NAME", database))
}

/// Runs to the end, twice: the second time changes nothing.
#[track_caller]
fn completes(migration: &Migration, pair: &ClusterPair, database: &str) {
    migration.run().succeeded();
    migration.run().succeeded();
    compare::same(&pair.source, &pair.target, database);
}

/// A session that goes on until it is dropped, then rolls back.
pub(crate) struct Holder {
    psql: Child,
    input: Option<ChildStdin>,
    pid: String,
}

impl Holder {
    /// Runs statements and stays. They are done when this returns.
    pub(crate) fn start(cluster: &Cluster, database: &str, sql: &str) -> Self {
        let mut psql = Command::new(postgres::client("psql"))
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d"])
            .arg(cluster.conninfo_socket(database))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("start psql");
        let mut input = psql.stdin.take().expect("psql's input");
        writeln!(input, "{sql};\nselect pg_backend_pid();").expect("write to psql");
        let mut line = String::new();
        let output = psql.stdout.take().expect("psql's output");
        std::io::BufRead::read_line(&mut std::io::BufReader::new(output), &mut line).expect("read from psql");
        let pid = line.trim().to_owned();
        assert!(!pid.is_empty(), "psql failed: {sql}");
        Self {
            psql,
            input: Some(input),
            pid,
        }
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.psql.wait();
    }
}

/// Waits until no session of pghaul is on the cluster, in this database.
fn await_no_session(cluster: &Cluster, database: &str) {
    let sql = format!(
        "select count(*) from pg_stat_activity where application_name like 'pghaul/%' and datname = '{database}'"
    );
    wait_until("pghaul's sessions have ended", PATIENCE, || {
        cluster.psql("postgres", &sql) == "0"
    });
}

/// Waits until a worker reads this table, or has read it: what it reads may wait in the network's buffers.
pub(crate) fn await_reading(source: &Cluster, database: &str, table: &str) {
    let sql = format!(
        "select count(*) > 0 from pg_stat_activity where datname = current_database() and query like 'COPY%{table}%'"
    );
    wait_until("a table is read", PATIENCE, || {
        source.try_psql(database, &sql).as_deref() == Ok("t")
    });
}

/// Drops the slot of a subscription, whose worker lets go of it in its own time.
pub(crate) fn drop_slot(pair: &ClusterPair, database: &str, subscription: &str) {
    let disable = format!("alter subscription {subscription} disable");
    pair.target.psql(database, &disable);
    let drop = format!("select pg_drop_replication_slot('{subscription}')");
    wait_until("the slot is dropped", PATIENCE, || {
        pair.source.try_psql(database, &drop).is_ok()
    });
}

/// Waits until rows of this table pass. Other tests have tables of the same name in databases of their own.
pub(crate) fn await_copy(cluster: &Cluster, database: &str, table: &str) {
    let sql = format!(
        "select count(*) > 0 from pg_stat_activity \
          where datname = '{database}' and state = 'active' and query like 'COPY %{table}%'"
    );
    wait_until("the copy goes on", PATIENCE, || {
        cluster.psql("postgres", &sql) == "t"
    });
}
