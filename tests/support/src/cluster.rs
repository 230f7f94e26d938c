//! A throwaway cluster.

use crate::conninfo::conninfo;
use crate::port::Port;
use crate::postgres::{self, Installation};
use crate::psql::{self, Format, identifier};
use crate::scratch;
use crate::server::{Server, Stop};
use crate::template;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Fit for either side of a migration, and as fast as a server that may lose everything can be.
const DEFAULTS: &[(&str, &str)] = &[
    ("wal_level", "logical"),
    ("max_wal_senders", "20"),
    ("max_replication_slots", "20"),
    ("max_worker_processes", "40"),
    ("max_logical_replication_workers", "20"),
    ("max_connections", "100"),
    ("max_prepared_transactions", "10"),
    // Tests side by side keep every core busy; more processes for one query only cost more.
    ("max_parallel_workers_per_gather", "0"),
    ("max_parallel_workers", "0"),
    // Otherwise a subscription's worker that stopped is started again only after five seconds.
    ("wal_retrieve_retry_interval", "200ms"),
    // Otherwise one that has nothing to apply confirms a position only every ten seconds.
    ("wal_receiver_status_interval", "1s"),
    ("fsync", "off"),
    ("full_page_writes", "off"),
    ("timezone", "UTC"),
    ("log_timezone", "UTC"),
    ("lc_messages", "C"),
    ("log_line_prefix", "%m [%p] %q%u@%d %a "),
    ("logging_collector", "off"),
];

/// How much of its log a cluster shows when its test fails.
const LAST_LINES: usize = 150;

/// Beside `postgresql.conf`, which includes it.
const CONFIGURATION: &str = "testkit.conf";

/// postgres gets in without a password, everyone else over TCP with theirs.
const AUTHENTICATION: &str = "\
local all,replication all trust
host all postgres 127.0.0.1/32 trust
host all all 127.0.0.1/32 md5
";

/// What a cluster is to be like.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    installation: Option<Installation>,
    parameters: BTreeMap<String, String>,
}

impl Settings {
    /// Any version from 15 on, with what both sides of a migration need.
    pub fn new() -> Self {
        Self::default()
    }

    /// This major version, 10 to 18.
    pub fn major(mut self, major: u32) -> Self {
        self.installation = Some(postgres::find(major));
        self
    }

    /// A line of `postgresql.conf`. The value is quoted here.
    pub fn set(mut self, parameter: &str, value: &str) -> Self {
        self.parameters.insert(parameter.to_owned(), value.to_owned());
        self
    }

    /// Writes as carefully as a server in production: for tests that kill servers or measure.
    pub fn durable(self) -> Self {
        self.set("fsync", "on").set("full_page_writes", "on")
    }
}

/// A running cluster. Dropped, it is stopped and removed; the end of the test process does the same. When a test
/// fails, the end of the server's log is part of what the test prints.
#[derive(Debug)]
pub struct Cluster {
    server: Mutex<Server>,
    parameters: Mutex<BTreeMap<String, String>>,
    directory: PathBuf,
    port: Mutex<Port>,
    major: u32,
    shared: bool,
}

impl Cluster {
    /// Makes a cluster and starts it; `label` is in its directory's name.
    ///
    /// # Panics
    /// With the server's log when it does not start.
    pub fn start(label: &str, settings: Settings) -> Self {
        let installation = settings.installation.unwrap_or_else(postgres::ordinary);
        let port = Port::reserve();
        let server = Server::new(installation, scratch::directory(label));
        template::fill(&server);
        let cluster = Self {
            directory: server.directory().to_owned(),
            major: server.installation().major,
            server: Mutex::new(server),
            parameters: Mutex::new(settings.parameters),
            port: Mutex::new(port),
            shared: false,
        };
        std::fs::write(cluster.data_dir().join("pg_hba.conf"), AUTHENTICATION).expect("write pg_hba.conf");
        cluster.include_configuration();
        cluster.start_again();
        cluster
    }

    /// The server's major version.
    pub fn major(&self) -> u32 {
        self.major
    }

    /// The TCP port on 127.0.0.1; it stays the same until [`Self::restart_on_another_port`].
    pub fn port(&self) -> u16 {
        self.port.lock().unwrap_or_else(PoisonError::into_inner).number
    }

    /// Seconds of CPU that all its processes have used since it was started.
    pub fn cpu_seconds(&self) -> f64 {
        let server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        server.cpu_seconds()
    }

    /// The data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// The directory of the Unix socket.
    pub fn socket_dir(&self) -> &Path {
        &self.directory
    }

    /// How the superuser connects over TCP, without a password.
    pub fn conninfo(&self, database: &str) -> String {
        self.over_tcp(&[("user", "postgres"), ("dbname", database)])
    }

    /// How the superuser connects through a proxy.
    pub fn conninfo_through(&self, proxy: &crate::Proxy, database: &str) -> String {
        let port = proxy.port().to_string();
        let way = [("host", "127.0.0.1"), ("port", port.as_str())];
        conninfo(&[&way[..], &[("user", "postgres"), ("dbname", database)]].concat())
    }

    /// How a role connects through a proxy with its password.
    pub fn conninfo_through_as(
        &self,
        proxy: &crate::Proxy,
        user: &str,
        password: &str,
        database: &str,
    ) -> String {
        let port = proxy.port().to_string();
        let way = [("host", "127.0.0.1"), ("port", port.as_str())];
        let who = [("user", user), ("password", password), ("dbname", database)];
        conninfo(&[&way[..], &who].concat())
    }

    /// How a role connects over TCP with its password.
    pub fn conninfo_as(&self, user: &str, password: &str, database: &str) -> String {
        self.over_tcp(&[("user", user), ("password", password), ("dbname", database)])
    }

    /// How the superuser connects through the Unix socket.
    pub fn conninfo_socket(&self, database: &str) -> String {
        psql::through_socket(&self.directory, self.port(), database)
    }

    /// Runs SQL as superuser and returns what psql prints: values alone, `|` between columns.
    ///
    /// # Panics
    /// With psql's messages when a statement fails.
    pub fn psql(&self, database: &str, sql: &str) -> String {
        self.refuse_what_others_would_see(sql);
        self.try_psql(database, sql)
            .unwrap_or_else(|error| panic!("psql in {database:?}: {error}"))
    }

    /// Marks it as lent to tests that know nothing of each other.
    pub(crate) const fn share(&mut self) {
        self.shared = true;
    }

    /// `remove` refuses while roles differ, also those that another test has created or dropped meanwhile.
    fn refuse_what_others_would_see(&self, sql: &str) {
        if self.shared {
            let sql = sql.to_lowercase();
            for statement in ["create role", "drop role", "alter system"] {
                assert!(
                    !sql.contains(statement),
                    "{statement} needs a pair of the test's own"
                );
            }
        }
    }

    /// Like [`Self::psql`]; a failure is returned as what psql wrote.
    pub fn try_psql(&self, database: &str, sql: &str) -> Result<String, String> {
        psql::run(&self.conninfo_socket(database), sql, Format::Plain)
    }

    /// Runs SQL as another role.
    pub fn try_psql_as(
        &self,
        user: &str,
        password: &str,
        database: &str,
        sql: &str,
    ) -> Result<String, String> {
        psql::run(&self.conninfo_as(user, password, database), sql, Format::Plain)
    }

    /// Runs a file of SQL as superuser.
    pub fn psql_file(&self, database: &str, file: &Path) -> String {
        let sql = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        self.psql(database, &sql)
    }

    /// The rows of one query; NULL is an empty text. Values may hold anything but two control characters.
    pub fn rows(&self, database: &str, query: &str) -> Vec<Vec<String>> {
        self.try_rows(database, query)
            .unwrap_or_else(|error| panic!("psql in {database:?}: {error}"))
    }

    /// Like [`Self::rows`]; a failure is returned as what psql wrote.
    pub(crate) fn try_rows(&self, database: &str, query: &str) -> Result<Vec<Vec<String>>, String> {
        psql::rows(&self.conninfo_socket(database), query)
    }

    /// Creates an empty database of any name.
    pub fn create_database(&self, name: &str) {
        self.psql(
            "postgres",
            &format!("create database {} template template0", identifier(name)),
        );
    }

    /// Stops the server; see [`Self::start_again`].
    pub fn stop(&self, how: Stop) {
        self.server().stop(how);
    }

    /// Starts a stopped server on its port. Nothing happens when it runs.
    ///
    /// # Panics
    /// With the server's log when it does not start.
    pub fn start_again(&self) {
        let mut server = self.server();
        if server.is_running() {
            return;
        }
        self.write_configuration();
        assert!(
            server.start(),
            "PostgreSQL {} did not start:\n{}",
            self.major,
            server.log_text()
        );
    }

    /// Stops the server fast and starts it with these parameters changed.
    pub fn restart_with(&self, changes: &[(&str, &str)]) {
        self.stop(Stop::Fast);
        let changes = changes
            .iter()
            .map(|(parameter, value)| ((*parameter).to_owned(), (*value).to_owned()));
        self.parameters
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(changes);
        self.start_again();
    }

    /// Stops the server fast and starts it on another port.
    pub fn restart_on_another_port(&self) {
        let another = Port::reserve();
        self.stop(Stop::Fast);
        *self.port.lock().unwrap_or_else(PoisonError::into_inner) = another;
        self.start_again();
    }

    /// All that the server has logged so far.
    pub fn log(&self) -> String {
        self.server().log_text()
    }

    /// The last lines of it, as many as a test that fails shows.
    pub fn end_of_log(&self) -> String {
        let log = self.log();
        let before = log.lines().count().saturating_sub(LAST_LINES);
        log.lines().skip(before).collect::<Vec<_>>().join("\n")
    }

    fn server(&self) -> MutexGuard<'_, Server> {
        // A test that panicked while it held the lock must not hide its message behind those of others.
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn over_tcp(&self, parameters: &[(&str, &str)]) -> String {
        let port = self.port().to_string();
        conninfo(&[&[("host", "127.0.0.1"), ("port", &port)], parameters].concat())
    }

    /// What initdb has found out about the machine stays; what stands in pghaul's file counts.
    fn include_configuration(&self) {
        let main = self.data_dir().join("postgresql.conf");
        let mut file = File::options()
            .append(true)
            .open(main)
            .expect("open postgresql.conf");
        writeln!(file, "include '{CONFIGURATION}'").expect("write postgresql.conf");
    }

    fn write_configuration(&self) {
        let own = [
            ("port", self.port().to_string()),
            ("listen_addresses", "127.0.0.1".to_owned()),
            ("unix_socket_directories", self.directory.display().to_string()),
        ];
        let defaults = DEFAULTS
            .iter()
            .map(|(parameter, value)| (*parameter, (*value).to_owned()));
        let parameters = self.parameters.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = parameters
            .iter()
            .map(|(parameter, value)| (parameter.as_str(), value.clone()));
        let mut text = String::new();
        // The last line of a parameter counts.
        for (parameter, value) in defaults.chain(wanted).chain(own) {
            writeln!(text, "{parameter} = '{}'", value.replace('\'', "''")).expect("writing to a String");
        }
        std::fs::write(self.data_dir().join(CONFIGURATION), text).expect("write the configuration");
    }
}

impl Drop for Cluster {
    #[expect(clippy::print_stdout, reason = "a test that fails shows what it has printed")]
    fn drop(&mut self) {
        self.stop(Stop::Immediate);
        if std::thread::panicking() {
            println!(
                "The log of {} ends with:\n{}",
                self.directory.display(),
                self.end_of_log()
            );
        }
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
