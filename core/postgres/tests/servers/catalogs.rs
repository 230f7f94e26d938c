//! The catalogs' answers.

use crate::cluster::{database, shared, superuser};
use pghaul_postgres::{ReadOnly, ReadWrite};

#[tokio::test]
async fn what_a_server_says_about_itself() {
    let Some(cluster) = shared() else { return };
    database(&cluster, "catalogs").await;
    let server = superuser(&cluster);
    let session = server.connect::<ReadWrite>("catalogs").await.unwrap();
    let sql = "CREATE TABLE public.t (i int PRIMARY KEY); CREATE PUBLICATION p FOR TABLE public.t;
               COMMENT ON PUBLICATION p IS 'ours'; CREATE PUBLICATION part WITH (publish = 'insert');
               CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1 dbname=x' PUBLICATION a, b
                   WITH (connect = false, slot_name = NONE)";
    for statement in sql.split(';') {
        session.doing("set up").execute(statement, &[]).await.unwrap();
    }
    let session = server.connect::<ReadOnly>("catalogs").await.unwrap();
    let databases = session.databases().await.unwrap();
    let own = databases
        .iter()
        .find(|database| database.name == "catalogs")
        .unwrap();
    assert!(own.allows_connections && !own.is_template && own.size > Some(1_000_000));
    assert_eq!(
        (own.encoding.as_str(), own.connection_limit, own.owner.as_str()),
        ("UTF8", -1, "postgres")
    );
    assert_eq!(own.locale_provider, 'c');
    assert!(
        !databases
            .iter()
            .find(|database| database.name == "template0")
            .unwrap()
            .allows_connections
    );

    assert!(session.identity().await.unwrap().parse::<u64>().is_ok());
    assert_eq!(session.timeline().await.unwrap(), 1);
    let before = session.wal_insert_lsn().await.unwrap();
    assert!(session.wal_insert_lsn().await.unwrap() >= before);
    assert!(!session.is_standby().await.unwrap());
    assert_eq!(
        session.setting("wal_level").await.unwrap().as_deref(),
        Some("logical")
    );
    let role = session.role().await.unwrap();
    assert!(role.superuser && role.may_replicate() && role.sees_all_rows() && role.member_of.is_empty());

    let publication = session.publication("p").await.unwrap().unwrap();
    assert!(publication.all_operations && !publication.all_tables && !publication.via_partition_root);
    assert_eq!(publication.comment.as_deref(), Some("ours"));
    assert!(!session.publication("part").await.unwrap().unwrap().all_operations);
    assert_eq!(session.publication("none").await.unwrap(), None);
    let subscription = session.subscription("s").await.unwrap().unwrap();
    assert_eq!(
        (
            subscription.enabled,
            subscription.slot,
            subscription.publications.len()
        ),
        (false, None, 2)
    );
    assert_eq!(session.slot("none").await.unwrap(), None);
    let session = server.connect::<ReadWrite>("catalogs").await.unwrap();
    session
        .doing("clean up")
        .execute("DROP SUBSCRIPTION s", &[])
        .await
        .unwrap();
}
