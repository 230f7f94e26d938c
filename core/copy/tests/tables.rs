//! What is read of the tables, while somebody drops one: PostgreSQL's newest installation on this machine.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a panic is the report; what is skipped is said"
)]

use pghaul_copy::tables;
use pghaul_postgres::local::{ClusterSettings, LocalCluster, find_binaries};
use pghaul_postgres::{ConnInfo, Environment, ReadOnly, ReadWrite, Server, Session, Source};
use std::time::Duration;

fn cluster() -> Option<LocalCluster> {
    let Some(binaries) = find_binaries().into_iter().next() else {
        println!("skipped: no PostgreSQL on this machine");
        return None;
    };
    let settings = ClusterSettings {
        without_fsync: true,
        ..ClusterSettings::default()
    };
    Some(LocalCluster::create(&binaries, &settings).unwrap())
}

fn server(cluster: &LocalCluster) -> Server<Source> {
    let conninfo = ConnInfo::parse(&cluster.conninfo("postgres")).unwrap();
    let environment = Environment::empty().with_user("nobody-at-all");
    Server::new(conninfo.resolve(&environment).unwrap(), "pghaul/testtest/1", 10)
}

async fn waits_for_a_lock(observer: &Session<Source, ReadOnly>, pid: i32) -> bool {
    let sql = "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = $1 AND NOT granted)";
    let row = observer.doing("look").query_one(sql, &[&pid]).await.unwrap();
    row.get(0)
}

#[tokio::test]
async fn a_table_that_is_dropped_meanwhile_is_left_out() {
    let Some(cluster) = cluster() else { return };
    let server = server(&cluster);
    let application = server.connect::<ReadWrite>("postgres").await.unwrap();
    let doing = application.doing("change tables");
    doing
        .batch("CREATE TABLE public.goes (id int); CREATE TABLE public.stays (id int)")
        .await
        .unwrap();
    doing.batch("BEGIN; DROP TABLE public.goes").await.unwrap();

    let reader = server.connect::<ReadOnly>("postgres").await.unwrap();
    let observer = server.connect::<ReadOnly>("postgres").await.unwrap();
    let commit = async {
        while !waits_for_a_lock(&observer, reader.backend_pid()).await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        doing.batch("COMMIT").await.unwrap();
    };
    let both = async { tokio::join!(tables::read(&reader), commit) };
    let (read, ()) = tokio::time::timeout(Duration::from_secs(30), both).await.unwrap();
    let names: Vec<String> = read.unwrap().into_keys().map(|table| table.name).collect();
    assert_eq!(names, ["stays"]);
}
