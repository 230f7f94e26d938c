//! Ending sessions of older epochs, and only those.

use crate::cluster::{database, shared, superuser};
use pghaul_core::{Code, Epoch, MigrationId};
use pghaul_postgres::{ReadOnly, ReadWrite, Server, Source};
use std::time::Duration;

#[tokio::test]
async fn only_older_epochs_of_the_same_migration_end() {
    let Some(cluster) = shared() else { return };
    database(&cluster, "epochs").await;
    let resolved = superuser(&cluster).resolved().clone();
    let named = |name: &str| Server::<Source>::new(resolved.clone(), name, 4);
    let open = async |name: &str| named(name).connect::<ReadWrite>("epochs").await.unwrap();
    let older = [open("pghaul/epochabc/2").await, open("pghaul/epochabc/9").await];
    let kept = [
        open("pghaul/epochabc/10").await,
        open("pghaul/epochabc/11").await,
        open("pghaul/epochxyz/2").await,
        open("pghaul/epochabcd/2").await,
        open("pghaul/epochabc/2x").await,
        open("pghaul/epochabc/").await,
        open("pghaul_epochabc/2").await,
    ];
    let own = named("pghaul/epochabc/10")
        .connect::<ReadWrite>("postgres")
        .await
        .unwrap();
    let migration = MigrationId::new("epochabc");
    let ended = own
        .terminate_older_epochs(&migration, Epoch(10), Duration::from_secs(20))
        .await
        .unwrap();
    let mut expected: Vec<i32> = older.iter().map(|session| session.backend_pid()).collect();
    let mut found = ended.clone();
    expected.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, expected);
    for session in &older {
        let error = session.doing("live").query("SELECT 1", &[]).await.unwrap_err();
        assert_eq!(error.code(), Code::ConnectionLost, "{error:?}");
    }
    for session in &kept {
        session.doing("live").query("SELECT 1", &[]).await.unwrap();
    }
    let again = own
        .terminate_older_epochs(&migration, Epoch(10), Duration::from_secs(20))
        .await
        .unwrap();
    assert!(again.is_empty());
}

#[tokio::test]
async fn sessions_that_may_not_be_ended_are_named() {
    let Some(cluster) = shared() else { return };
    database(&cluster, "epochs2").await;
    let superuser = superuser(&cluster);
    let session = superuser.connect::<ReadWrite>("epochs2").await.unwrap();
    session
        .doing("set up")
        .batch("CREATE ROLE app LOGIN PASSWORD 'app'")
        .await
        .unwrap();
    let older = Server::<Source>::new(superuser.resolved().clone(), "pghaul/refusing/1", 1);
    let older = older.connect::<ReadOnly>("epochs2").await.unwrap();
    let text = format!("host=127.0.0.1 port={} user=app password=app", cluster.port());
    let app = crate::cluster::server(&text)
        .connect::<ReadWrite>("epochs2")
        .await
        .unwrap();
    let error = app
        .terminate_older_epochs(
            &MigrationId::new("refusing"),
            Epoch(2),
            Duration::from_millis(200),
        )
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::PermissionDenied);
    assert!(
        error.message().contains(&older.backend_pid().to_string()),
        "{error}"
    );
}
