//! Two servers, the ways between the three parties, and what is in the databases.

use crate::fault::{Line, Meddling, Server};
use pghaul_testkit::{Cluster, ClusterPair, Proxy, Settings, identifier, wait_until};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

/// Keys that change, values that are stored out of line, partitions, a table that is emptied, one without a key.
const ROWS: &str = "
    create table keyed (id int primary key, n int not null default 0, word text default 'x');
    insert into keyed select n from generate_series(1, 3000) n;
    create table moving (id serial primary key, filler text);
    insert into moving (filler) select repeat(md5(n::text), 8) from generate_series(1, 12000) n;
    create table toasted (id int primary key, note int default 0, large text);
    alter table toasted alter large set storage external;
    insert into toasted select n, 0, repeat(md5(n::text), 300) from generate_series(1, 60) n;
    create table parted (id int, day int, primary key (id, day)) partition by range (day);
    create table parted_1 partition of parted for values from (0) to (10);
    create table parted_2 partition of parted for values from (10) to (20);
    insert into parted select n, n % 20 from generate_series(1, 2000) n;
    create table emptied (id int primary key);
    insert into emptied select generate_series(1, 50);
    create table still (line text);
    insert into still select n from generate_series(1, 500) n;
    create index on keyed (word);
    create table child (id int primary key, parent int references toasted);
    insert into child select n, 1 + n % 60 from generate_series(1, 200) n;
";

/// What the application does all the time.
pub(crate) const LOAD: &str = "
\\set x random(1, 3000)
begin;
insert into moving (filler) values (repeat('y', 150));
update keyed set n = n + 1 where id in (:x, -:x);
savepoint s;
insert into moving (filler) values ('rolled back');
rollback to s;
update keyed set id = -id where id in (:x, -:x);
end;
update toasted set note = note + 1 where id = 1 + :x % 60;
update parted set day = (day + 7) % 20 where id = 1 + :x % 2000;
insert into keyed values (:x + 10000) on conflict (id) do update set word = excluded.word || 'z';
delete from keyed where id = :x + 10000 and n = 0 and :x % 3 = 0;
\\if :x < 20
update keyed set n = n + 1;
\\endif
\\if :x % 50 = 7
begin;
truncate emptied;
insert into emptied select generate_series(1, 50);
end;
\\endif
";

/// Everything that rounds share.
pub(crate) struct World {
    pub(crate) pair: ClusterPair,
    to_source: Proxy,
    to_target: Proxy,
    back: Proxy,
}

impl World {
    pub(crate) fn new() -> Self {
        // A worker that has failed comes back soon, so that a round is short.
        let settings = || Settings::new().set("wal_retrieve_retry_interval", "500ms");
        let target = settings()
            .set("max_logical_replication_workers", "12")
            .set("wal_receiver_status_interval", "1s")
            .set("wal_receiver_timeout", "10s");
        let source = settings().set("wal_sender_timeout", "10s");
        let pair = ClusterPair::start(source, target);
        let (source, target) = (pair.source.port(), pair.target.port());
        Self {
            pair,
            to_source: Proxy::before(source),
            to_target: Proxy::before(target),
            back: Proxy::before(source),
        }
    }

    /// A database of its own for a round.
    pub(crate) fn database(&self) -> String {
        let name = self.pair.fresh_database("round");
        self.pair.source.psql(&name, ROWS);
        name
    }

    pub(crate) fn forget(&self, database: &str) {
        for cluster in [&self.pair.source, &self.pair.target] {
            let drop = format!("drop database if exists {} (force)", identifier(database));
            cluster.psql("postgres", &drop);
        }
    }

    pub(crate) fn conninfos(&self) -> [String; 3] {
        let Self {
            pair,
            to_source,
            to_target,
            back,
        } = self;
        [
            pair.source.conninfo_through(to_source, "postgres"),
            pair.target.conninfo_through(to_target, "postgres"),
            pair.source.conninfo_through(back, "postgres"),
        ]
    }

    pub(crate) fn cluster(&self, server: Server) -> &Cluster {
        match server {
            Server::Source => &self.pair.source,
            Server::Target => &self.pair.target,
        }
    }

    pub(crate) fn proxy(&self, line: Line) -> &Proxy {
        match line {
            Line::ToSource => &self.to_source,
            Line::ToTarget => &self.to_target,
            Line::Back => &self.back,
        }
    }

    pub(crate) fn end_sessions(&self, server: Server, which: &str) {
        let sql = format!("select pg_terminate_backend(pid) from pg_stat_activity where {which}");
        // A server that is just restarting has none.
        let _ = self.cluster(server).try_psql("postgres", &sql);
    }

    /// For new sessions of everybody: `None` takes it back.
    pub(crate) fn set_timeouts(&self, server: Server, time: Option<&str>) {
        for parameter in ["statement_timeout", "idle_in_transaction_session_timeout"] {
            let sql = match time {
                Some(time) => format!("alter system set {parameter} = '{time}'"),
                None => format!("alter system reset {parameter}"),
            };
            self.cluster(server).psql("postgres", &sql);
        }
        self.cluster(server).psql("postgres", "select pg_reload_conf()");
    }

    /// Somebody else does something to a database that is in step.
    pub(crate) fn meddle(&self, how: Meddling, database: &str) {
        let (source, target) = (&self.pair.source, &self.pair.target);
        let subscription = || {
            target.psql(database, "select subname from pg_subscription s join pg_database d on d.oid = subdbid and datname = current_database()")
        };
        match how {
            Meddling::SlotDropped => {
                let drop = format!(
                    "select pg_terminate_backend(active_pid), pg_drop_replication_slot(slot_name) from pg_replication_slots where database = '{database}'"
                );
                let left = format!("select count(*) from pg_replication_slots where database = '{database}'");
                wait_until("the slot is dropped", PATIENCE, || {
                    let _ = source.try_psql("postgres", &drop);
                    source.psql("postgres", &left) == "0"
                });
            }
            Meddling::PublicationDropped => {
                let name = source.psql(database, "select pubname from pg_publication");
                source.psql(database, &format!("drop publication {name}"));
            }
            Meddling::SubscriptionDisabled => {
                target.psql(
                    database,
                    &format!("alter subscription {} disable", subscription()),
                );
            }
            Meddling::SubscriptionDropped => {
                let name = subscription();
                for statement in ["disable", "set (slot_name = none)"] {
                    target.psql(database, &format!("alter subscription {name} {statement}"));
                }
                target.psql(database, &format!("drop subscription {name}"));
            }
            Meddling::RowWritten => {
                target.psql(database, "insert into keyed values (777777)");
                source.psql(database, "insert into keyed values (777777)");
            }
            Meddling::TableNew => {
                source.psql(database, "create table intruder (id int primary key)");
            }
        }
    }

    /// Takes it back, where it can be. Returns whether the data has to be copied again.
    pub(crate) fn mend(&self, how: Meddling, database: &str) -> bool {
        match how {
            Meddling::SlotDropped | Meddling::PublicationDropped | Meddling::SubscriptionDropped => true,
            Meddling::SubscriptionDisabled => {
                let sql = "select subname from pg_subscription s join pg_database d on d.oid = subdbid and datname = current_database()";
                let name = self.pair.target.psql(database, sql);
                let enable = format!("alter subscription {name} enable");
                self.pair.target.psql(database, &enable);
                false
            }
            Meddling::RowWritten => {
                self.pair
                    .target
                    .psql(database, "delete from keyed where id = 777777");
                false
            }
            Meddling::TableNew => {
                self.pair.source.psql(database, "drop table intruder");
                false
            }
        }
    }
}
