//! Two servers, the ways between the three parties, and what is in the databases.

use crate::fault::{Line, Server};
use pghaul_testkit::{Cluster, ClusterPair, Proxy, Settings, Volume, identifier, scratch_directory};
use std::path::PathBuf;
use std::time::Duration;

/// The role that moves databases where it is not the superuser, and its password.
pub(crate) const MOVER: &str = "mover";
pub(crate) const PASSWORD: &str = "moves things";

/// The tablespace of all databases, and its directory.
const SMALL: &str = "small";

/// Enough for the databases of a round, and soon full.
const VOLUME: u32 = 160;

/// Keys that change, values that are stored out of line, partitions, a table that is emptied, one without a key.
const ROWS: &str = "
    create table keyed (id int primary key, n int not null default 0, word text default 'x');
    insert into keyed select n from generate_series(1, 3000) n;
    create table moving (id serial primary key, filler text);
    insert into moving (filler) select repeat(md5(n::text), 8) from generate_series(1, 12000) n;
    -- A server that crashes skips the numbers that it has set aside: here are none.
    select setval('moving_id_seq', 12000);
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
    create table copied (id serial primary key, line text);
    create table ledger (id int, year int, primary key (id, year)) partition by range (year);
    create table ledger_1 partition of ledger for values from (0) to (10);
    create table ledger_2 partition of ledger for values from (10) to (20);
    insert into ledger select n, n % 20 from generate_series(1, 400) n;
    create table first_hand (id int primary key, n int);
    create table second_hand (id int primary key, n int);
    insert into first_hand select n, 1 from generate_series(1, 200) n;
    insert into second_hand select n, 2 from generate_series(101, 300) n;
";

/// What the application does all the time. `LINES` is a file. Only one client touches all rows at once: two could lock them in
/// another order each; and rows move between partitions in one client only, as the other would see an error.
const LOAD: &str = "
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
update parted set day = (day + 7) % 20 where id = 1 + :x % 2000 and id % 2 = :client_id;
insert into keyed values (:x + 10000) on conflict (id) do update set word = excluded.word || 'z';
delete from keyed where id = :x + 10000 and n = 0 and :x % 3 = 0;
\\if :x < 40 and :client_id = 0
update keyed set n = n + 1;
\\endif
\\if :x % 50 = 7
begin;
truncate emptied;
insert into emptied select generate_series(1, 50);
end;
\\endif
\\if :x % 20 = 3
copy copied (line) from 'LINES';
\\endif
";

/// The cluster's databases are made on a file system of their own; its WAL is not there.
fn volume(cluster: &Cluster) -> Result<Volume, String> {
    let volume = Volume::mount(VOLUME)?;
    let place = volume.create_directory(SMALL);
    let create = format!("create tablespace {SMALL} location '{}'", place.display());
    cluster.psql("postgres", &create);
    cluster.psql(
        "postgres",
        &format!("alter database template0 set tablespace {SMALL}"),
    );
    Ok(volume)
}

/// The application's script, and the file that it copies from.
fn load() -> String {
    let lines: String = (0..30).map(|n| format!("line {n}\n")).collect();
    let file = scratch_directory("lines").join("lines");
    std::fs::write(&file, lines).expect("write the lines");
    LOAD.replace("LINES", &file.display().to_string())
}

/// Everything that rounds share.
pub(crate) struct World {
    pub(crate) pair: ClusterPair,
    to_source: Proxy,
    to_target: Proxy,
    back: Proxy,
    /// Where the target's databases are, or why there is none.
    pub(crate) volume: Result<Volume, String>,
    /// The source's are on one as well, so that both look the same.
    of_source: Result<Volume, String>,
    pub(crate) load: String,
}

impl World {
    pub(crate) fn new() -> Self {
        // A worker that has failed comes back soon, so that a round is short.
        let settings = || Settings::new().set("wal_retrieve_retry_interval", "500ms");
        let target = settings()
            .set("max_logical_replication_workers", "12")
            .set("wal_receiver_status_interval", "1s")
            .set("wal_receiver_timeout", "10s")
            // So few that all can be taken.
            .set("max_connections", "40");
        let source = settings().set("wal_sender_timeout", "10s");
        let pair = ClusterPair::start(source, target);
        let (source, target) = (pair.source.port(), pair.target.port());
        let mover = format!("create role {MOVER} login replication password '{PASSWORD}'");
        pair.source.psql("postgres", &mover);
        Self {
            volume: volume(&pair.target),
            of_source: volume(&pair.source),
            load: load(),
            pair,
            to_source: Proxy::before(source),
            to_target: Proxy::before(target),
            back: Proxy::before(source),
        }
    }

    /// A database of its own for a round, all of which belongs to the role that moves it.
    pub(crate) fn database(&self) -> String {
        let source = &self.pair.source;
        let name = self.pair.fresh_database("round");
        source.psql("postgres", &format!("alter database {name} owner to {MOVER}"));
        // Privileges that are written down look the same after one was revoked and granted.
        source.psql(
            &name,
            &format!("set role {MOVER}; {ROWS}; grant select on keyed to {MOVER}"),
        );
        name
    }

    pub(crate) fn forget(&self, database: &str) {
        for cluster in [&self.pair.source, &self.pair.target] {
            let drop = format!("drop database if exists {} (force)", identifier(database));
            cluster.psql("postgres", &drop);
        }
    }

    /// Source, target, and the source as the target reaches it, through the proxies; on the source as the superuser, or
    /// as the mover with this password.
    pub(crate) fn conninfos(&self, password: Option<&str>) -> [String; 3] {
        let source = |proxy: &Proxy| match password {
            None => self.pair.source.conninfo_through(proxy, "postgres"),
            Some(password) => self
                .pair
                .source
                .conninfo_through_as(proxy, MOVER, password, "postgres"),
        };
        let target = self.pair.target.conninfo_through(&self.to_target, "postgres");
        [source(&self.to_source), target, source(&self.back)]
    }

    /// The same without the proxies: another address.
    pub(crate) fn addresses(&self, password: Option<&str>) -> [String; 3] {
        let source = match password {
            None => self.pair.source.conninfo("postgres"),
            Some(password) => self.pair.source.conninfo_as(MOVER, password, "postgres"),
        };
        [source.clone(), self.pair.target.conninfo("postgres"), source]
    }

    pub(crate) fn cluster(&self, server: Server) -> &Cluster {
        match server {
            Server::Source => &self.pair.source,
            Server::Target => &self.pair.target,
        }
    }

    /// Where a cluster has files besides its own directory.
    pub(crate) fn tablespaces(&self, server: Server) -> Vec<PathBuf> {
        let volume = match server {
            Server::Source => &self.of_source,
            Server::Target => &self.volume,
        };
        volume.iter().map(|volume| volume.directory(SMALL)).collect()
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

    /// On a table of the database, from its creation on.
    pub(crate) fn hold_lock(&self, server: Server, database: &str, time: Duration) {
        let sql = format!(
            "begin; lock table keyed in access exclusive mode; select pg_sleep({})",
            time.as_secs_f64()
        );
        // On the target there may be no table yet.
        let _ = self.cluster(server).try_psql(database, &sql);
    }
}
