//! Ways in, and every way in which a server keeps us out.

use crate::cluster::{PASSWORD, connecting, database, server, shared, superuser, with_budget};
use pghaul_core::{Code, Failure};
use pghaul_postgres::{ConnInfo, PgError, ReadOnly, ReadWrite, Session, Source};
use std::net::TcpListener;

async fn failure(conninfo: &str, database: &str) -> PgError {
    server(conninfo)
        .connect::<ReadOnly>(database)
        .await
        .map(|_| ())
        .unwrap_err()
}

async fn port(session: &Session<Source, ReadOnly>) -> Option<i32> {
    let row = session
        .doing("ask")
        .query_one("SELECT inet_server_port()", &[])
        .await
        .unwrap();
    row.get(0)
}

#[tokio::test]
async fn over_tcp_and_socket_with_a_hostile_password() {
    let Some(cluster) = shared() else { return };
    let session = superuser(&cluster).connect::<ReadOnly>("postgres").await.unwrap();
    assert_eq!(port(&session).await, Some(i32::from(cluster.port())));
    assert!(session.server_version() >= 100_000 && session.backend_pid() > 0);

    let socket = cluster.socket_directory().display();
    let by_socket = server(&format!(
        "host='{socket}' port={} user=postgres sslmode=require",
        cluster.port()
    ));
    let session = by_socket.connect::<ReadOnly>("postgres").await.unwrap();
    assert_eq!(port(&session).await, None);

    let encoded: String = PASSWORD.bytes().map(|b| format!("%{b:02x}")).collect();
    let uri = format!(
        "postgresql://postgres:{encoded}@127.0.0.1:{}/postgres",
        cluster.port()
    );
    assert!(server(&uri).connect::<ReadOnly>("postgres").await.is_ok());
}

#[tokio::test]
async fn each_refusal_has_its_code() {
    let Some(cluster) = shared() else { return };
    database(&cluster, "closed").await;
    let way = format!("host=127.0.0.1 port={}", cluster.port());
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    for (conninfo, database, code, sqlstate) in [
        (
            format!("{way} user=postgres password=wrong"),
            "postgres",
            Code::AuthenticationFailed,
            Some("28P01"),
        ),
        (
            format!("{way} user=postgres"),
            "postgres",
            Code::AuthenticationFailed,
            None,
        ),
        (
            format!("{way} user=nobody password=x"),
            "postgres",
            Code::NotInHba,
            Some("28000"),
        ),
        (cluster.conninfo("x"), "closed", Code::NotInHba, Some("28000")),
        (
            cluster.conninfo("x"),
            "no such",
            Code::UnknownDatabase,
            Some("3D000"),
        ),
        (
            cluster.conninfo("x"),
            "template0",
            Code::PermissionDenied,
            Some("55000"),
        ),
        (
            format!("{} options='-c no_such_thing=1'", cluster.conninfo("x")),
            "postgres",
            Code::ServerError,
            Some("42704"),
        ),
        (
            format!("host=127.0.0.1 port={free} user=u"),
            "d",
            Code::ConnectionRefused,
            None,
        ),
        (
            "host=/no/such/directory user=u".to_owned(),
            "d",
            Code::ConnectionRefused,
            None,
        ),
        (
            "host=no-such-host.invalid user=u".to_owned(),
            "d",
            Code::HostNotFound,
            None,
        ),
    ] {
        let error = failure(&conninfo, database).await;
        assert_eq!(
            (error.code(), error.sqlstate()),
            (code, sqlstate),
            "{conninfo} {error:?}"
        );
        assert_eq!(error.database(), Some(database));
        let failure = Failure::from(error);
        assert!(
            failure.operation.is_some() && failure.message != "db error",
            "{failure:?}"
        );
        assert!(failure.hint.is_some(), "{failure:?}");
        assert!(!format!("{failure:?}").contains("p'a"), "{failure:?}");
    }
}

#[tokio::test]
async fn silence_times_out_and_closing_is_a_lost_connection() {
    // Accepts by the kernel, never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let error = failure(
        &format!("host=127.0.0.1 port={port} user=u connect_timeout=1"),
        "d",
    )
    .await;
    assert_eq!(error.code(), Code::ConnectionTimedOut);

    let closing = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = closing.local_addr().unwrap().port();
    let accept = tokio::spawn(async move {
        while let Ok((stream, _)) = closing.accept().await {
            drop(stream);
        }
    });
    let error = failure(&format!("host=127.0.0.1 port={port} user=u sslmode=disable"), "d").await;
    assert_eq!(error.code(), Code::ConnectionLost, "{error:?}");
    accept.abort();
}

#[tokio::test]
async fn the_connect_right_is_missing() {
    let Some(cluster) = shared() else { return };
    database(&cluster, "private").await;
    let session = superuser(&cluster).connect::<ReadWrite>("private").await.unwrap();
    let sql = "REVOKE CONNECT ON DATABASE private FROM PUBLIC; CREATE ROLE limited LOGIN PASSWORD 'limited'";
    session.doing("set up").batch(sql).await.unwrap();
    let way = format!(
        "host=127.0.0.1 port={} user=limited password=limited",
        cluster.port()
    );
    let error = failure(&way, "private").await;
    assert_eq!(
        (error.code(), error.sqlstate()),
        (Code::PermissionDenied, Some("42501"))
    );
}

#[tokio::test]
async fn the_first_connection_pins_its_host() {
    let Some(cluster) = shared() else { return };
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let encoded: String = PASSWORD.bytes().map(|b| format!("%{b:02x}")).collect();
    let several = server(&format!(
        "postgresql://postgres:{encoded}@no-such-host.invalid,127.0.0.1:{free},127.0.0.1:{},127.0.0.1:1/?target_session_attrs=read-write",
        cluster.port()
    ));
    assert_eq!(several.pinned().await, None);
    several.connect::<ReadOnly>("postgres").await.unwrap();
    assert_eq!(several.pinned().await.unwrap().port, cluster.port());
    several.connect::<ReadOnly>("template1").await.unwrap();

    let text = format!("{} target_session_attrs=standby", cluster.conninfo("postgres"));
    assert_eq!(failure(&text, "postgres").await.code(), Code::ServerNotReady);
    let text = format!(
        "{} target_session_attrs=prefer-standby",
        cluster.conninfo("postgres")
    );
    assert!(server(&text).connect::<ReadOnly>("postgres").await.is_ok());
}

#[tokio::test]
async fn the_journals_text_finds_the_server_again() {
    let Some(cluster) = shared() else { return };
    let first = superuser(&cluster);
    let text = first.resolved().without_secrets();
    assert!(!text.contains("password"), "{text}");
    let surroundings = crate::cluster::environment().with_variable("PGPASSWORD", PASSWORD);
    let again = ConnInfo::parse(&text).unwrap().resolve(&surroundings).unwrap();
    let again = pghaul_postgres::Server::<Source>::new(again, "again", 1);
    let identity = again
        .connect::<ReadOnly>("postgres")
        .await
        .unwrap()
        .identity()
        .await
        .unwrap();
    let session = first.connect::<ReadOnly>("postgres").await.unwrap();
    assert_eq!(identity, session.identity().await.unwrap());
}

#[tokio::test]
async fn the_budget_is_kept() {
    let Some(cluster) = shared() else { return };
    let narrow = with_budget(&cluster, 1);
    let first = narrow.connect::<ReadOnly>("postgres").await.unwrap();
    assert_eq!(narrow.free_connections(), 0);
    let waiting = connecting(&narrow);
    let pid = first.backend_pid();
    first.close().await;
    assert_ne!(waiting.await.unwrap().unwrap(), pid);
}
