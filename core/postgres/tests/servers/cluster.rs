//! The server that the tests share. It ends with the last test that uses it, also when that one panics.

use pghaul_postgres::local::{ClusterSettings, LocalCluster, find_binaries};
use pghaul_postgres::{ConnInfo, Environment, PgError, ReadOnly, Server, Source};
use std::sync::{Arc, Mutex, Weak};
use tokio::task::JoinHandle;

/// Passwords with everything that could be quoted wrongly.
pub(crate) const PASSWORD: &str = r#"p'a"s s\w%or=d@ü"#;

const HBA: &str = "\
local   all       all                            trust
host    closed    all        127.0.0.1/32        reject
host    all       trusted    127.0.0.1/32        trust
host    all       postgres,app,limited  127.0.0.1/32  scram-sha-256
host    replication  all     127.0.0.1/32        reject
";

static SHARED: Mutex<Weak<LocalCluster>> = Mutex::new(Weak::new());

/// Settings with which tests start in a moment.
pub(crate) fn settings() -> ClusterSettings {
    ClusterSettings {
        without_fsync: true,
        ..ClusterSettings::default()
    }
    .with("wal_level", "logical")
    .with("max_connections", "60")
    .with("shared_buffers", "16MB")
}

/// The shared server, or none where PostgreSQL is not installed.
pub(crate) fn shared() -> Option<Arc<LocalCluster>> {
    let mut shared = SHARED.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(running) = shared.upgrade() {
        return Some(running);
    }
    let Some(binaries) = newest() else {
        println!("skipped: no PostgreSQL on this machine");
        return None;
    };
    let settings = ClusterSettings {
        password: Some(PASSWORD.to_owned()),
        hba: Some(HBA.to_owned()),
        ..settings()
    };
    let cluster = Arc::new(LocalCluster::create(&binaries, &settings).unwrap());
    *shared = Arc::downgrade(&cluster);
    Some(cluster)
}

/// The superuser's way to a server, with at most so many sessions at a time.
pub(crate) fn with_budget(cluster: &LocalCluster, connections: usize) -> Server<Source> {
    Server::new(superuser(cluster).resolved().clone(), "narrow", connections)
}

/// Opens a session beside the test; the process that serves it.
pub(crate) fn connecting(server: &Server<Source>) -> JoinHandle<Result<i32, PgError>> {
    let server = server.clone();
    tokio::spawn(async move {
        let session = server.connect::<ReadOnly>("postgres").await?;
        Ok(session.backend_pid())
    })
}

/// The programs that the tests use.
pub(crate) fn newest() -> Option<pghaul_postgres::local::Binaries> {
    find_binaries().into_iter().next()
}

/// Surroundings without anything of this machine.
pub(crate) fn environment() -> Environment {
    Environment::empty().with_user("nobody-at-all")
}

/// A server by conninfo.
pub(crate) fn server(conninfo: &str) -> Server<Source> {
    let resolved = ConnInfo::parse(conninfo)
        .unwrap()
        .resolve(&environment())
        .unwrap();
    Server::new(resolved, "pghaul/testtest/7", 10)
}

/// The superuser's way into the shared server.
pub(crate) fn superuser(cluster: &LocalCluster) -> Server<Source> {
    server(&cluster.conninfo("postgres"))
}

/// Creates a database for one test, whose name nobody else uses.
pub(crate) async fn database(cluster: &LocalCluster, name: &str) {
    let session = superuser(cluster)
        .connect::<pghaul_postgres::ReadWrite>("postgres")
        .await
        .unwrap();
    let drop = format!("DROP DATABASE IF EXISTS {name}");
    session.doing("drop").execute(&drop, &[]).await.unwrap();
    session
        .doing("create")
        .execute(&format!("CREATE DATABASE {name}"), &[])
        .await
        .unwrap();
    session.close().await;
}
