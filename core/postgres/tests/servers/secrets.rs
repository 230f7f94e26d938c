//! Statements that hold a secret run also where PL/pgSQL or temporary tables are out of reach.

use crate::cluster::{PASSWORD, database, server, shared, superuser};
use pghaul_postgres::{ReadWrite, Rehearsal, Session, Source};

const NAME: &str = "secrets";

/// What a server logs and shows of a statement with a secret.
async fn shown_meanwhile(session: &mut Session<Source, ReadWrite>) -> String {
    let transaction = session.transaction().await.unwrap();
    transaction.quiet("try").await.unwrap();
    let sql = "SELECT string_agg(setting, ' ' ORDER BY name) FROM pg_settings
               WHERE name IN ('log_min_error_statement', 'log_statement', 'track_activities')";
    let row = transaction.doing("read").query_one(sql, &[]).await.unwrap();
    let shown = row.get(0);
    transaction.rollback().await.unwrap();
    shown
}

#[tokio::test]
async fn secret_statements_run_by_every_way() {
    let Some(cluster) = shared() else {
        return;
    };
    database(&cluster, NAME).await;
    let mut session = superuser(&cluster).connect::<ReadWrite>(NAME).await.unwrap();
    let statements = "CREATE TABLE public.a (t text DEFAULT E'tab:\\t \\\\ ü\n\\x41'); COMMENT ON TABLE public.a IS 'it''s'";
    let transaction = session.transaction().await.unwrap();
    transaction.batch_secretly("try", statements).await.unwrap();
    let twice = statements.replace("public.a", "public.b");
    transaction.batch_secretly("try", &twice).await.unwrap();
    transaction.commit().await.unwrap();
    let row = session
        .doing("read")
        .query_one(
            "SELECT pg_get_expr(adbin, adrelid), obj_description('public.b'::regclass),
                    to_regclass('pg_temp.pghaul_secret') IS NULL
             FROM pg_attrdef WHERE adrelid = 'public.b'::regclass",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(row.get::<_, &str>(0), "'tab:\t \\ ü\nA'::text");
    assert_eq!((row.get::<_, &str>(1), row.get::<_, bool>(2)), ("it's", true));

    // An error is the server's own, and shows nothing of the statement.
    let transaction = session.transaction().await.unwrap();
    let error = transaction
        .batch_secretly("try", "CREATE TABLE public.a (password_is_x int)")
        .await
        .unwrap_err();
    assert_eq!(error.sqlstate(), Some("42P07"));
    assert_eq!(
        (error.message(), error.detail(), error.context()),
        ("relation \"a\" already exists", None, None)
    );
    transaction.rollback().await.unwrap();

    // Without the privilege TEMPORARY, by a setting; without PL/pgSQL, as they are.
    let setup = format!(
        "REVOKE TEMPORARY ON DATABASE {NAME} FROM PUBLIC; CREATE SCHEMA own; GRANT ALL ON SCHEMA own TO app;
         DO $$ BEGIN CREATE ROLE app LOGIN PASSWORD '{}'; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
        PASSWORD.replace('\'', "''")
    );
    let (grants, role) = setup.split_at(setup.find("DO $$").unwrap());
    for sql in [role, grants] {
        session.doing("set up").batch(sql).await.unwrap();
    }
    let conninfo = format!("{} user=app", cluster.conninfo(NAME));
    let mut limited = server(&conninfo).connect::<ReadWrite>(NAME).await.unwrap();
    assert_eq!(shown_meanwhile(&mut session).await, "panic none off");
    assert!(shown_meanwhile(&mut limited).await.ends_with(" on"));
    if session.server_version() >= 150_000 {
        let grant = "GRANT SET ON PARAMETER track_activities TO app";
        session.doing("grant").batch(grant).await.unwrap();
        assert!(shown_meanwhile(&mut limited).await.ends_with(" off"));
    }
    limited.close().await;
    for without_language in [false, true] {
        if without_language {
            session
                .doing("drop")
                .batch("DROP EXTENSION plpgsql")
                .await
                .unwrap();
        }
        let mut limited = server(&conninfo).connect::<ReadWrite>(NAME).await.unwrap();
        let transaction = limited.transaction().await.unwrap();
        let sql =
            format!("CREATE TABLE own.t_{without_language} (); CREATE TABLE own.u_{without_language} ()");
        transaction.batch_secretly("try", &sql).await.unwrap();
        transaction.commit().await.unwrap();
        limited.close().await;
        let mut session = server(&conninfo).connect::<Rehearsal>(NAME).await.unwrap();
        let mut rehearsal = session.rehearse().await.unwrap();
        rehearsal
            .attempt_secretly("try", "CREATE TABLE own.never ()")
            .await
            .unwrap();
        rehearsal.roll_back().await.unwrap();
    }
    let sql = "SELECT count(*) FROM pg_tables WHERE schemaname = 'own'";
    let row = session.doing("count").query_one(sql, &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 4);
}
