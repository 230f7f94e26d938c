//! The check `encryption`.

use pghaul_step::postgres::conninfo::{SslMode, TlsOptions};
use pghaul_step::postgres::{ConnInfo, Environment, ReadOnly, Resolved, Server, Session, SideMarker};
use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Cluster, Failure, Finding, FindingKind, Severity, Side, Subject,
    async_trait,
};
use serde::Serialize;

/// A connection to another machine that others may read or take over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum OpenConnection {
    /// pghaul's connections are not encrypted.
    NotEncrypted {
        /// Which server.
        side: Side,
        /// Where it is.
        host: String,
    },
    /// pghaul's connections are encrypted, but to whom is not checked.
    NotVerified {
        /// Which server.
        side: Side,
        /// Where it is.
        host: String,
        /// The `sslmode`.
        sslmode: &'static str,
    },
    /// The target's connections to the source may be read or taken over.
    SubscriptionNotVerified {
        /// Where the target finds the source.
        host: String,
        /// The `sslmode` there.
        sslmode: &'static str,
    },
}

impl FindingKind for OpenConnection {
    fn severity(&self) -> Severity {
        Severity::Warning
    }

    fn message(&self) -> String {
        match self {
            Self::NotEncrypted { side, host } => format!(
                "the connection to the {side} at {host} is not encrypted: all rows can be read on the way"
            ),
            Self::NotVerified { side, host, sslmode } => format!(
                "the connection to the {side} at {host} is encrypted, but with sslmode={sslmode} nothing tells that it is \
                 this server that answers"
            ),
            Self::SubscriptionNotVerified { host, sslmode } => format!(
                "the target's server connects to the source at {host} with sslmode={sslmode}, which does not tell that \
                 it is this server that answers"
            ),
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotEncrypted { side, .. } => format!(
                "add sslmode=verify-full and sslrootcert=FILE to the {side}'s conninfo; where the server has no TLS, \
                 switch ssl on"
            ),
            Self::NotVerified { side, .. } => {
                format!("add sslmode=verify-full and sslrootcert=FILE (or sslrootcert=system) to the {side}'s conninfo")
            }
            Self::SubscriptionNotVerified { .. } => {
                "give --source-from-target with sslmode=verify-full, with the root certificate in \
                 ~/.postgresql/root.crt of the user that the target's server runs as, or sslrootcert=system from version 16 on"
                    .to_owned()
            }
        })
    }
}

/// The check `encryption`: can somebody on the way read the rows, or answer in place of a server?
///
/// A socket, `localhost` and addresses of this machine's own are not looked at.
#[derive(Debug, Clone, Copy)]
pub struct Encryption;

#[async_trait]
impl Check for Encryption {
    type Scope = Cluster;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "encryption",
            summary: "connections to other machines are encrypted and verified",
            after: &["connection"],
        }
    }

    async fn examine(&self, ctx: &CheckContext<Cluster>) -> Result<Vec<Finding>, Failure> {
        let (source, target) = (ctx.source().await?, ctx.target().await?);
        let source = open(ctx.source_server(), &source).await;
        let target = open(ctx.target_server(), &target).await;
        let way_back = ctx.landscape().source_from_target.as_ref();
        // Where it is the same way as ours, it has been told.
        let way_back = match source {
            None => way_back.and_then(|conninfo| of_subscription(&conninfo.0)),
            Some(_) => None,
        };
        Ok([source, target, way_back]
            .iter()
            .flatten()
            .map(|open| open.about("encryption", Subject::Cluster))
            .collect())
    }
}

async fn open<S: SideMarker>(server: &Server<S>, session: &Session<S, ReadOnly>) -> Option<OpenConnection> {
    let endpoint = server.pinned().await?;
    if endpoint.is_local() {
        return None;
    }
    let (side, host) = (S::SIDE, endpoint.to_string());
    let tls = server.resolved().tls();
    match (session.is_encrypted(), verifies(tls)) {
        (false, _) => Some(OpenConnection::NotEncrypted { side, host }),
        (true, false) => Some(OpenConnection::NotVerified {
            side,
            host,
            sslmode: tls.mode.as_str(),
        }),
        (true, true) => None,
    }
}

/// The target's way to the source. A conninfo that can't be understood is a matter of `replication-target`.
fn of_subscription(conninfo: &str) -> Option<OpenConnection> {
    let resolved: Resolved = ConnInfo::parse(conninfo)
        .ok()?
        .resolve(&Environment::empty())
        .ok()?;
    let endpoint = resolved
        .endpoints()
        .iter()
        .find(|endpoint| !endpoint.is_local())?;
    // Which files the target's machine has is unknown, so that `require` has to be believed.
    (resolved.tls().mode < SslMode::Require).then(|| OpenConnection::SubscriptionNotVerified {
        host: endpoint.to_string(),
        sslmode: resolved.tls().mode.as_str(),
    })
}

/// As libpq, `require` checks the certificate where there is something to check it with.
fn verifies(tls: &TlsOptions) -> bool {
    tls.mode >= SslMode::VerifyCa || (tls.mode == SslMode::Require && tls.root_file.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way_back(conninfo: &str) -> Option<String> {
        of_subscription(conninfo).map(|open| open.about("encryption", Subject::Cluster).kind)
    }

    #[test]
    fn the_target_s_way_to_the_source() {
        let open = Some("subscription-not-verified".to_owned());
        assert_eq!(way_back("host=db.example.com user=u dbname=d"), open);
        assert_eq!(
            way_back("host=db.example.com user=u dbname=d sslmode=disable"),
            open
        );
        assert_eq!(
            way_back("host=db.example.com user=u dbname=d sslmode=verify-full sslrootcert=system"),
            None
        );
        assert_eq!(way_back("host=127.0.0.1 user=u dbname=d"), None);
    }

    #[test]
    fn what_stays_on_this_machine() {
        let local = |conninfo: &str| {
            let resolved = ConnInfo::parse(conninfo)
                .unwrap()
                .resolve(&Environment::empty())
                .unwrap();
            resolved.endpoints()[0].is_local()
        };
        for here in [
            "host=/run/postgresql user=u",
            "host=localhost user=u",
            "host=::1 user=u",
            "host=db hostaddr=127.0.0.2 user=u",
        ] {
            assert!(local(here), "{here}");
        }
        for there in [
            "host=db.example.com user=u",
            "host=10.0.0.1 user=u",
            "host=localhost hostaddr=10.0.0.1 user=u",
        ] {
            assert!(!local(there), "{there}");
        }
    }
}
