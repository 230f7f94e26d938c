//! Sessions to read in, and who has them next.

use crate::cluster::{connecting, database, shared, superuser, with_budget};
use pghaul_postgres::{ReadOnly, Reader, Server, Session, Source};
use std::time::Duration;

async fn reader(server: &Server<Source>, database: &str) -> Reader<Source> {
    server.reader(database).await.unwrap()
}

async fn lives(observer: &Session<Source, ReadOnly>, pid: i32) -> bool {
    let sql = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1)";
    let row = observer.doing("look").query_one(sql, &[&pid]).await.unwrap();
    row.get(0)
}

#[tokio::test]
async fn one_reads_after_the_other_in_the_same_session() {
    let Some(cluster) = shared() else { return };
    database(&cluster, "readers").await;
    let server = with_budget(&cluster, 10);
    let first = reader(&server, "postgres").await.backend_pid();
    assert_eq!(reader(&server, "postgres").await.backend_pid(), first);
    assert_ne!(reader(&server, "readers").await.backend_pid(), first);
    let two = (
        reader(&server, "postgres").await,
        reader(&server, "postgres").await,
    );
    assert_eq!(two.0.backend_pid(), first);
    assert_ne!(two.1.backend_pid(), first);
}

#[tokio::test]
async fn it_is_closed_when_nobody_reads() {
    let Some(cluster) = shared() else { return };
    let observer = superuser(&cluster).connect::<ReadOnly>("postgres").await.unwrap();
    let server = with_budget(&cluster, 10);
    let pid = reader(&server, "postgres").await.backend_pid();
    assert!(lives(&observer, pid).await);
    let gone = async {
        while lives(&observer, pid).await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), gone).await.unwrap();
}

#[tokio::test]
async fn a_broken_one_is_replaced() {
    let Some(cluster) = shared() else { return };
    let observer = superuser(&cluster).connect::<ReadOnly>("postgres").await.unwrap();
    let server = with_budget(&cluster, 10);
    let pid = reader(&server, "postgres").await.backend_pid();
    let sql = "SELECT pg_terminate_backend($1)";
    observer.doing("end it").query_one(sql, &[&pid]).await.unwrap();
    assert_ne!(reader(&server, "postgres").await.backend_pid(), pid);
}

#[tokio::test]
async fn one_that_is_left_in_a_transaction_is_not_handed_on() {
    let Some(cluster) = shared() else { return };
    let server = with_budget(&cluster, 10);
    let first = reader(&server, "postgres").await;
    first.begin_snapshot().await.unwrap();
    let pid = first.backend_pid();
    drop(first);
    assert_ne!(reader(&server, "postgres").await.backend_pid(), pid);
}

#[tokio::test]
async fn one_that_is_still_at_work_does_not_keep_its_place() {
    let Some(cluster) = shared() else { return };
    let narrow = with_budget(&cluster, 1);
    let reading = reader(&narrow, "postgres").await;
    let doing = reading.doing("sleep");
    let sleep = doing.query("SELECT pg_sleep(60)", &[]);
    let soon = Duration::from_millis(200);
    tokio::time::timeout(soon, sleep).await.unwrap_err();
    drop(reading);
    let other = narrow.connect::<ReadOnly>("postgres");
    tokio::time::timeout(Duration::from_secs(10), other)
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn it_gives_its_place_to_who_needs_one() {
    let Some(cluster) = shared() else { return };
    let narrow = with_budget(&cluster, 1);
    let kept = reader(&narrow, "postgres").await.backend_pid();
    assert_eq!(narrow.free_connections(), 1);
    let session = narrow.connect::<ReadOnly>("postgres").await.unwrap();
    assert_ne!(session.backend_pid(), kept);
    assert_eq!(narrow.free_connections(), 0);
}

#[tokio::test]
async fn it_is_not_kept_from_who_waits() {
    let Some(cluster) = shared() else { return };
    let narrow = with_budget(&cluster, 1);
    let reading = reader(&narrow, "postgres").await;
    let pid = reading.backend_pid();
    let waiting = connecting(&narrow);
    // It runs until it has to wait: for a place.
    tokio::task::yield_now().await;
    drop(reading);
    let session = tokio::time::timeout(Duration::from_secs(30), waiting).await;
    assert_ne!(session.unwrap().unwrap().unwrap(), pid);
}

#[tokio::test]
async fn a_reader_never_gets_a_session_that_may_write() {
    let Some(cluster) = shared() else { return };
    let server = with_budget(&cluster, 10);
    let writing = server.writer("postgres").await.unwrap().backend_pid();
    assert_ne!(reader(&server, "postgres").await.backend_pid(), writing);
    assert_eq!(server.writer("postgres").await.unwrap().backend_pid(), writing);
}

#[tokio::test]
async fn a_server_that_is_renamed_goes_on_with_its_sessions() {
    let Some(cluster) = shared() else { return };
    let server = with_budget(&cluster, 10);
    let pid = reader(&server, "postgres").await.backend_pid();
    let renamed = server.renamed("it's another").await;
    let session = reader(&renamed, "postgres").await;
    assert_eq!(session.backend_pid(), pid);
    let name = session.setting("application_name").await.unwrap();
    assert_eq!(name.as_deref(), Some("it's another"));
}
