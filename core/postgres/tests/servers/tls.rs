//! Every sslmode against every kind of server certificate.

use crate::certificates::Certificates;
use crate::cluster::{newest, server, settings};
use pghaul_core::Code;
use pghaul_postgres::local::{ClusterSettings, LocalCluster, Stop};
use pghaul_postgres::{PgError, ReadOnly};

const HBA: &str = "\
hostssl    all  certuser  127.0.0.1/32  cert
hostssl    all  tlsonly   127.0.0.1/32  trust
hostnossl  all  plain     127.0.0.1/32  trust
host       all  scram     127.0.0.1/32  scram-sha-256
host       all  postgres  127.0.0.1/32  trust
local      all  all                     trust
";

/// Connects and says whether the session is encrypted.
async fn encrypted(conninfo: &str) -> Result<bool, PgError> {
    let session = server(conninfo).connect::<ReadOnly>("postgres").await?;
    let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    Ok(session
        .doing("look at the encryption")
        .query_one(sql, &[])
        .await?
        .get(0))
}

fn start() -> Option<(LocalCluster, Certificates)> {
    let Some(binaries) = newest() else {
        println!("skipped: no PostgreSQL on this machine");
        return None;
    };
    let settings = ClusterSettings {
        hba: Some(HBA.to_owned()),
        ..settings()
    }
    .with("ssl_cert_file", "server.crt")
    .with("ssl_key_file", "server.key")
    .with("ssl_ca_file", "ca.crt");
    Some((
        LocalCluster::create(&binaries, &settings).unwrap(),
        Certificates::make(),
    ))
}

/// Restarts the server with TLS and the certificate of this name.
fn serve(cluster: &mut LocalCluster, certificates: &Certificates, name: &str) {
    cluster.stop(Stop::Fast);
    cluster
        .install("server.crt", &certificates.text(&format!("{name}.crt")))
        .unwrap();
    cluster
        .install("server.key", &certificates.text(&format!("{name}.key")))
        .unwrap();
    cluster.install("ca.crt", &certificates.text("ca.crt")).unwrap();
    cluster.install("postgresql.auto.conf", "ssl = on\n").unwrap();
    cluster.start().unwrap();
}

#[tokio::test]
async fn without_tls_on_the_server() {
    let Some((cluster, _)) = start() else { return };
    let way = |mode: &str| {
        format!(
            "host=localhost hostaddr=127.0.0.1 port={} user=postgres sslmode={mode}",
            cluster.port()
        )
    };
    for mode in ["disable", "allow", "prefer"] {
        assert!(!encrypted(&way(mode)).await.unwrap(), "{mode}");
    }
    let error = encrypted(&way("require")).await.unwrap_err();
    assert_eq!(
        (error.code(), error.message()),
        (Code::TlsFailed, "the server does not support TLS")
    );
}

#[tokio::test]
async fn the_matrix() {
    let Some((mut cluster, certificates)) = start() else {
        return;
    };
    let port = cluster.port();
    // Server's certificate, host, the root's file; whether verify-ca and verify-full let it pass.
    for (certificate, host, root, chain, name) in [
        ("self", "localhost", "self", true, true),
        ("self", "other.example", "self", true, false),
        ("self", "localhost", "ca", false, false),
        ("server", "localhost", "ca", true, true),
        ("server", "127.0.0.1", "ca", true, false),
        ("server", "localhost", "stranger", false, false),
        ("elsewhere", "localhost", "ca", true, false),
        ("elsewhere", "elsewhere.example", "ca", true, true),
        ("common-name", "localhost", "ca", true, true),
        ("version-1", "localhost", "ca", true, true),
        ("version-1", "other.example", "ca", true, false),
        ("version-1", "localhost", "stranger", false, false),
    ] {
        serve(&mut cluster, &certificates, certificate);
        let way = format!("host={host} hostaddr=127.0.0.1 port={port} user=postgres");
        let root = certificates.path(&format!("{root}.crt"));
        let root = format!("sslrootcert='{}'", root.display());
        for (more, expected) in [
            ("sslmode=disable".to_owned(), Some(false)),
            ("sslmode=allow".to_owned(), Some(false)),
            ("sslmode=prefer".to_owned(), Some(true)),
            ("sslmode=require".to_owned(), Some(true)),
            (
                "sslmode=require ssl_max_protocol_version=TLSv1.2".to_owned(),
                Some(true),
            ),
            (format!("sslmode=require {root}"), chain.then_some(true)),
            (format!("sslmode=verify-ca {root}"), chain.then_some(true)),
            (format!("sslmode=verify-full {root}"), name.then_some(true)),
            (
                format!("sslmode=verify-full {root} ssl_max_protocol_version=TLSv1.2"),
                name.then_some(true),
            ),
        ] {
            let outcome = encrypted(&format!("{way} {more}")).await;
            if let Err(error) = &outcome {
                assert_eq!(
                    error.code(),
                    Code::TlsFailed,
                    "{certificate} {host} {more}: {error:?}"
                );
            }
            assert_eq!(outcome.ok(), expected, "{certificate} {host} {more}");
        }
    }
}

#[tokio::test]
async fn who_may_come_in_how() {
    let Some((mut cluster, certificates)) = start() else {
        return;
    };
    serve(&mut cluster, &certificates, "server");
    let way = |user: &str, more: &str| {
        format!(
            "host=localhost hostaddr=127.0.0.1 port={} user={user} {more}",
            cluster.port()
        )
    };
    let session = server(&way("postgres", ""))
        .connect::<pghaul_postgres::ReadWrite>("postgres")
        .await
        .unwrap();
    let sql = "CREATE ROLE certuser LOGIN; CREATE ROLE tlsonly LOGIN; CREATE ROLE plain LOGIN;
               CREATE ROLE scram LOGIN PASSWORD 'pw'";
    session.doing("set up").batch(sql).await.unwrap();

    // The fallbacks of allow and prefer.
    assert!(encrypted(&way("tlsonly", "sslmode=allow")).await.unwrap());
    assert!(!encrypted(&way("plain", "sslmode=prefer")).await.unwrap());
    assert_eq!(
        encrypted(&way("tlsonly", "sslmode=disable"))
            .await
            .unwrap_err()
            .code(),
        Code::NotInHba
    );
    assert_eq!(
        encrypted(&way("plain", "sslmode=require"))
            .await
            .unwrap_err()
            .code(),
        Code::NotInHba
    );

    let error = encrypted(&way("stranger", "sslmode=prefer")).await.unwrap_err();
    assert!(
        error.code() == Code::NotInHba && error.message().contains("SSL encryption"),
        "{error:?}"
    );
    assert!(error.causes()[0].contains("no encryption"), "{error:?}");

    // SCRAM with channel binding.
    assert!(
        encrypted(&way("scram", "password=pw channel_binding=require"))
            .await
            .unwrap()
    );
    let error = encrypted(&way(
        "scram",
        "password=pw channel_binding=require sslmode=disable",
    ))
    .await
    .unwrap_err();
    assert_eq!(error.code(), Code::AuthenticationFailed);
    assert!(
        !encrypted(&way("scram", "password=pw sslmode=disable"))
            .await
            .unwrap()
    );

    // Client certificates.
    let file = |name: &str| certificates.path(name).display().to_string();
    let (certificate, key) = (file("client.crt"), file("client.key"));
    let with = |key: &str| format!("sslmode=require sslcert='{certificate}' sslkey='{key}'");
    assert!(encrypted(&way("certuser", &with(&key))).await.unwrap());
    let error = encrypted(&way("certuser", "sslmode=require")).await.unwrap_err();
    assert_eq!(error.code(), Code::AuthenticationFailed, "{error:?}");
    assert!(
        encrypted(&way("certuser", &with(&file("stranger.key"))))
            .await
            .is_err()
    );

    // A cancel request goes the same way.
    let session = server(&way("postgres", "sslmode=require"))
        .connect::<ReadOnly>("postgres")
        .await
        .unwrap();
    session.cancel_token().cancel().await.unwrap();
    let replication = server(&way("postgres", "sslmode=require"))
        .connect_replication("postgres")
        .await
        .unwrap();
    assert_eq!(
        replication
            .command("identify", "IDENTIFY_SYSTEM")
            .await
            .unwrap()
            .len(),
        1
    );
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let open_key = pghaul_postgres::ConnInfo::parse(&way("certuser", &with(&key))).unwrap();
    assert!(
        open_key
            .resolve(&crate::cluster::environment())
            .unwrap_err()
            .to_string()
            .contains("0640")
    );
}
