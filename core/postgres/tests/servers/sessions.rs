//! What sessions may do, and what they see.

use crate::cluster::{database, shared, superuser};
use bytes::Bytes;
use futures_util::SinkExt;
use pghaul_core::{Code, Failure};
use pghaul_postgres::{PgError, ReadOnly, ReadWrite, Rehearsal, Server, SnapshotId, Source};
use std::sync::atomic::{AtomicUsize, Ordering};

async fn with_table(
    name: &str,
) -> Option<(
    std::sync::Arc<pghaul_postgres::local::LocalCluster>,
    Server<Source>,
)> {
    let cluster = shared()?;
    database(&cluster, name).await;
    let server = superuser(&cluster);
    let session = server.connect::<ReadWrite>(name).await.unwrap();
    session
        .doing("set up")
        .batch(
            "CREATE TABLE public.t (i int CHECK (i < 1000), f float4); INSERT INTO public.t VALUES (1, 0.1)",
        )
        .await
        .unwrap();
    session.close().await;
    Some((cluster, server))
}

async fn rows(server: &Server<Source>, database: &str) -> i64 {
    server
        .read(database, async |session| {
            let row = session
                .doing("count")
                .query_one("SELECT count(*) FROM public.t", &[])
                .await?;
            Ok(row.get(0))
        })
        .await
        .unwrap()
}

#[tokio::test]
async fn settings_win_over_those_of_database_and_role() {
    let Some((_cluster, server)) = with_table("settings").await else {
        return;
    };
    let session = server.connect::<ReadWrite>("settings").await.unwrap();
    let sql = "ALTER DATABASE settings SET statement_timeout = '1s'; ALTER DATABASE settings SET search_path = public;
               ALTER DATABASE settings SET idle_in_transaction_session_timeout = '1s';
               ALTER DATABASE settings SET DateStyle = 'SQL, DMY'; ALTER DATABASE settings SET extra_float_digits = 0;
               ALTER DATABASE settings SET default_transaction_read_only = on";
    session.doing("set up").batch(sql).await.unwrap();
    let session = server.connect::<ReadWrite>("settings").await.unwrap();
    for (name, value) in [
        ("statement_timeout", "0"),
        ("lock_timeout", "0"),
        ("idle_in_transaction_session_timeout", "0"),
        ("row_security", "off"),
        ("search_path", "\"\""),
        ("extra_float_digits", "3"),
        ("IntervalStyle", "postgres"),
        ("bytea_output", "hex"),
        ("default_transaction_read_only", "off"),
        ("application_name", "pghaul/testtest/7"),
        ("client_encoding", "UTF8"),
    ] {
        let found = session.setting(name).await.unwrap().unwrap();
        assert!(
            found == value || (name == "search_path" && found.is_empty()),
            "{name}: {found}"
        );
    }
    assert!(
        session
            .setting("DateStyle")
            .await
            .unwrap()
            .unwrap()
            .starts_with("ISO")
    );
    // What a script of an extension finds that restores it, or adds a schema to it.
    let begins = "SELECT reset_val FROM pg_catalog.pg_settings WHERE name = 'search_path'";
    let row = session.doing("look").query_one(begins, &[]).await.unwrap();
    assert_eq!(row.get::<_, &str>(0), "public");
    let rehearsal = server.connect::<Rehearsal>("settings").await.unwrap();
    assert_eq!(
        rehearsal.setting("lock_timeout").await.unwrap().as_deref(),
        Some("100ms")
    );
    assert_eq!(rehearsal.setting("no.such").await.unwrap(), None);
    if session.server_version() >= 140_000 {
        assert_eq!(
            session.setting("idle_session_timeout").await.unwrap().as_deref(),
            Some("0")
        );
    }
}

/// Operators that the search_path of the database puts before those of PostgreSQL, and settings that end a session.
const HOSTILE: &str = r#"
    CREATE SCHEMA evil;
    DO $do$ DECLARE t text; o text; BEGIN
        FOREACH t IN ARRAY '{text,name,oid,bool,int4,int8,"char"}'::text[] LOOP
            EXECUTE format('CREATE FUNCTION evil.run(%1$s, %1$s) RETURNS bool LANGUAGE plpgsql
                AS $$ BEGIN RAISE ''code of a user runs''; END $$', t);
            FOREACH o IN ARRAY '{=,<>,<}'::text[] LOOP
                EXECUTE format('CREATE OPERATOR evil.%s (LEFTARG = %s, RIGHTARG = %2$s, PROCEDURE = evil.run)', o, t);
            END LOOP;
        END LOOP;
    END $do$;
    ALTER DATABASE hostile SET search_path = evil, public, pg_catalog;
    ALTER DATABASE hostile SET statement_timeout = '1ms';
    ALTER DATABASE hostile SET app.tenant = '7';
"#;

#[tokio::test]
async fn no_operator_of_a_user_runs_where_the_search_path_is_that_of_the_database() {
    let Some((_cluster, server)) = with_table("hostile").await else {
        return;
    };
    let session = server.connect::<ReadWrite>("hostile").await.unwrap();
    session.doing("set up").batch(HOSTILE).await.unwrap();
    let home = server.home_settings("hostile").await.unwrap();
    assert_eq!(
        home.database.get("search_path").map(String::as_str),
        Some("evil, public, pg_catalog")
    );
    assert_eq!(home.database.get("app.tenant").map(String::as_str), Some("7"));
    let plain = server.plain_settings("hostile").await.unwrap();
    assert_eq!(plain["statement_timeout"].value, "1ms");
}

#[tokio::test]
async fn a_read_only_session_cannot_write() {
    let Some((_cluster, server)) = with_table("readonly").await else {
        return;
    };
    let session = server.connect::<ReadOnly>("readonly").await.unwrap();
    for sql in [
        "INSERT INTO public.t VALUES (2)",
        "CREATE TABLE public.u ()",
        "SELECT setval('public.s', 1)",
        "TRUNCATE public.t",
    ] {
        let error = session.doing("write").query(sql, &[]).await.unwrap_err();
        assert!(
            error.sqlstate() == Some("25006") || error.sqlstate() == Some("42P01"),
            "{sql}: {error:?}"
        );
    }
    assert_eq!(rows(&server, "readonly").await, 1);
}

#[tokio::test]
async fn a_rehearsal_leaves_nothing() {
    let Some((_cluster, server)) = with_table("rehearsal").await else {
        return;
    };
    let mut session = server.connect::<Rehearsal>("rehearsal").await.unwrap();
    assert!(
        session
            .doing("write")
            .query("INSERT INTO public.t VALUES (2)", &[])
            .await
            .is_err()
    );
    let mut rehearsal = session.rehearse().await.unwrap();
    rehearsal
        .attempt("publish", "CREATE PUBLICATION p FOR TABLE public.t", &[])
        .await
        .unwrap();
    assert_eq!(
        rehearsal
            .attempt("insert", "INSERT INTO public.t VALUES ($1)", &[&2])
            .await
            .unwrap(),
        1
    );
    let error = rehearsal
        .attempt("publish", "CREATE PUBLICATION p", &[])
        .await
        .unwrap_err();
    assert_eq!(error.sqlstate(), Some("42710"));
    for sql in [
        "COMMIT",
        " commit",
        "END",
        "ROLLBACK",
        "/* */ COMMIT",
        "SELECT 1; COMMIT",
        "PREPARE TRANSACTION 'x'",
    ] {
        assert!(rehearsal.attempt("cheat", sql, &[]).await.is_err(), "{sql}");
    }
    let seen = rehearsal
        .doing("count")
        .query_one("SELECT count(*) FROM public.t", &[])
        .await
        .unwrap();
    assert_eq!(seen.get::<_, i64>(0), 2);
    rehearsal.roll_back().await.unwrap();
    // Dropped without a word: rolled back as well.
    let mut rehearsal = session.rehearse().await.unwrap();
    rehearsal
        .attempt("insert", "INSERT INTO public.t VALUES (3)", &[])
        .await
        .unwrap();
    drop(rehearsal);
    session.doing("wait for it").query("SELECT 1", &[]).await.unwrap();
    assert_eq!(rows(&server, "rehearsal").await, 1);
    assert_eq!(session.publication("p").await.unwrap(), None);

    let mut holder = server.connect::<ReadWrite>("rehearsal").await.unwrap();
    let locked = holder.transaction().await.unwrap();
    locked.doing("lock").batch("LOCK TABLE public.t").await.unwrap();
    let mut rehearsal = session.rehearse().await.unwrap();
    let error = rehearsal
        .attempt("alter", "ALTER TABLE public.t ADD COLUMN x int", &[])
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::LockTimeout);
}

#[tokio::test]
async fn transactions_commit_or_vanish() {
    let Some((_cluster, server)) = with_table("transactions").await else {
        return;
    };
    let mut session = server.connect::<ReadWrite>("transactions").await.unwrap();
    let mut transaction = session.transaction().await.unwrap();
    transaction
        .doing("insert")
        .execute("INSERT INTO public.t VALUES (2)", &[])
        .await
        .unwrap();
    let savepoint = transaction.savepoint().await.unwrap();
    savepoint
        .doing("insert")
        .execute("INSERT INTO public.t VALUES (3)", &[])
        .await
        .unwrap();
    savepoint.rollback().await.unwrap();
    transaction.commit().await.unwrap();
    let dropped = session.transaction().await.unwrap();
    dropped
        .doing("insert")
        .execute("INSERT INTO public.t VALUES (4)", &[])
        .await
        .unwrap();
    drop(dropped);
    session.close().await;
    assert_eq!(rows(&server, "transactions").await, 2);
}

#[tokio::test]
async fn errors_tell_where_but_no_value() {
    let Some((_cluster, server)) = with_table("errors").await else {
        return;
    };
    let session = server.connect::<ReadWrite>("errors").await.unwrap();
    let mut sink = Box::pin(
        session
            .doing("load")
            .copy_in("COPY public.t (i) FROM STDIN")
            .await
            .unwrap(),
    );
    sink.feed(Bytes::from_static(b"1\nsecretvalue\n")).await.unwrap();
    let error = session
        .doing("load the table")
        .error(&sink.as_mut().finish().await.unwrap_err());
    assert_eq!(error.context(), Some("COPY t, line 2, column i"));
    let shown = format!("{error} {error:?} {:?}", Failure::from(error.clone()));
    assert!(
        !shown.contains("secretvalue") && shown.contains("22P02"),
        "{shown}"
    );
    let error = session
        .doing("insert")
        .execute("INSERT INTO public.t VALUES (123456789)", &[])
        .await
        .unwrap_err();
    let shown = format!("{error} {:?}", Failure::from(error.clone()));
    assert!(!shown.contains("123456789") && shown.contains("23514"), "{shown}");
}

#[tokio::test]
async fn an_error_about_another_connection_is_not_a_lost_one() {
    let Some((_cluster, server)) = with_table("other_connection").await else {
        return;
    };
    let session = server.connect::<ReadWrite>("other_connection").await.unwrap();
    for state in [
        "08000", "08001", "08006", "57P01", "57P03", "25P03", "53300", "28P01",
    ] {
        let raise = format!("DO $$ BEGIN RAISE 'as of a foreign server' USING ERRCODE = '{state}'; END $$");
        let error = session.doing("raise").batch(&raise).await.unwrap_err();
        assert_eq!((error.code(), error.sqlstate()), (Code::ServerError, Some(state)));
        assert!(!session.is_closed());
    }
    let end = "SELECT pg_catalog.pg_terminate_backend(pg_catalog.pg_backend_pid())";
    let error = session
        .doing("end the session")
        .query(end, &[])
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::ConnectionLost);
}

#[tokio::test]
async fn copy_passes_bytes_through() {
    let Some((_cluster, server)) = with_table("copying").await else {
        return;
    };
    let from = server.connect::<ReadOnly>("copying").await.unwrap();
    let to = server.connect::<ReadWrite>("copying").await.unwrap();
    let doing = from.doing("read");
    let statement = doing.prepare("COPY public.t (i, f) TO STDOUT").await.unwrap();
    let mut stream = from.copy_out("read", &statement).await.unwrap();
    let sink = to
        .doing("write")
        .copy_in("COPY public.t (i, f) FROM STDIN")
        .await
        .unwrap();
    let mut sink = Box::pin(sink);
    while let Some(bytes) = stream.next().await.unwrap() {
        assert_eq!(&bytes[..], b"1\t0.1\n");
        sink.feed(bytes).await.unwrap();
    }
    assert_eq!(stream.messages(), Some(1));
    assert_eq!(sink.as_mut().finish().await.unwrap(), 1);
    assert_eq!(rows(&server, "copying").await, 2);
}

#[tokio::test]
async fn snapshots_are_shared() {
    let Some((_cluster, server)) = with_table("snapshots").await else {
        return;
    };
    let keeper = server.connect::<ReadOnly>("snapshots").await.unwrap();
    keeper.begin_snapshot().await.unwrap();
    let snapshot = keeper.export_snapshot().await.unwrap();
    let writer = server.connect::<ReadWrite>("snapshots").await.unwrap();
    writer
        .doing("insert")
        .execute("INSERT INTO public.t VALUES (2)", &[])
        .await
        .unwrap();
    writer.adopt_snapshot(&snapshot).await.unwrap();
    let count = async || {
        let row = writer
            .doing("count")
            .query_one("SELECT count(*) FROM public.t", &[])
            .await
            .unwrap();
        row.get::<_, i64>(0)
    };
    assert_eq!(count().await, 1);
    writer.end_snapshot().await.unwrap();
    assert_eq!(count().await, 2);
    keeper.end_snapshot().await.unwrap();
    assert!(writer.adopt_snapshot(&snapshot).await.is_err());
    assert_eq!(count().await, 2);
    assert!(SnapshotId::new("1'; DROP TABLE t; --").is_err());
}

#[tokio::test]
async fn a_replication_connection_makes_a_slot_with_its_snapshot() {
    let Some((_cluster, server)) = with_table("replicating").await else {
        return;
    };
    let replication = server.connect_replication("replicating").await.unwrap();
    let command = "CREATE_REPLICATION_SLOT pghaul_test TEMPORARY LOGICAL pgoutput EXPORT_SNAPSHOT";
    let row = replication
        .command("create the slot", command)
        .await
        .unwrap()
        .remove(0);
    let snapshot = SnapshotId::new(row[2].clone().unwrap()).unwrap();
    let session = server.connect::<ReadOnly>("replicating").await.unwrap();
    session.adopt_snapshot(&snapshot).await.unwrap();
    let slot = session.slot("pghaul_test").await.unwrap().unwrap();
    assert_eq!(slot.confirmed_flush_lsn.map(|lsn| lsn.to_string()), row[1]);
    assert_eq!(
        (slot.kind.as_str(), slot.active_pid),
        ("logical", Some(replication.backend_pid()))
    );
}

#[tokio::test]
async fn cancelling_and_losing() {
    let Some((_cluster, server)) = with_table("losing").await else {
        return;
    };
    let session = server.connect::<ReadOnly>("losing").await.unwrap();
    let token = session.cancel_token();
    let sleeping = async { session.doing("sleep").query("SELECT pg_sleep(60)", &[]).await };
    let cancelling = async {
        let watcher = server.connect::<ReadOnly>("losing").await.unwrap();
        let sql =
            "SELECT FROM pg_stat_activity WHERE pid = $1 AND state = 'active' AND query LIKE '%pg_sleep%'";
        while watcher
            .doing("watch")
            .query(sql, &[&session.backend_pid()])
            .await
            .unwrap()
            .is_empty()
        {}
        token.cancel().await.unwrap();
    };
    let (slept, ()) = tokio::join!(sleeping, cancelling);
    assert_eq!(slept.unwrap_err().code(), Code::StatementCancelled);

    let tries = AtomicUsize::new(0);
    let read = server.read("losing", async |session| {
        if tries.fetch_add(1, Ordering::Relaxed) == 0 {
            session
                .doing("die")
                .query("SELECT pg_terminate_backend(pg_backend_pid())", &[])
                .await?;
        }
        session.doing("live").query_one("SELECT 1", &[]).await
    });
    assert_eq!(read.await.unwrap().get::<_, i32>(0), 1);
    assert_eq!(tries.load(Ordering::Relaxed), 2);
    let tries = AtomicUsize::new(0);
    let failed: Result<(), PgError> = server
        .read("losing", async |session| {
            tries.fetch_add(1, Ordering::Relaxed);
            session.doing("fail").query("SELECT 1/0", &[]).await.map(|_| ())
        })
        .await;
    assert_eq!(
        (failed.unwrap_err().code(), tries.load(Ordering::Relaxed)),
        (Code::ServerError, 1)
    );
}

#[test]
fn futures_can_move_between_threads() {
    fn is_send<T: Send>(_: T) {}
    fn boxed(
        server: &Server<Source>,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<i32, PgError>> + Send + '_>> {
        Box::pin(server.read("d", async |session| {
            let row = session.doing("x").query_one("SELECT 1", &[]).await?;
            Ok(row.get(0))
        }))
    }
    let server = crate::cluster::server("host=127.0.0.1 user=u");
    is_send(boxed(&server));
    is_send(server.connect::<ReadWrite>("d"));
    is_send(server.connect_replication("d"));
}
