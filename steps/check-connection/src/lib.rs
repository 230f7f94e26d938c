//! The checks `connection` and `database-connection`: can we get in?
//!
//! [`Connection`] opens a session in the maintenance database of each server; nearly every other check of the
//! servers comes after it. [`DatabaseConnection`] opens one in a selected database on the source, and in the
//! database of that name on the target where there is one. Whatever keeps us out is told apart by the [`Code`]
//! of the failure and becomes one [`Obstacle`].
//!
//! This is the smallest check there is, and a model for others: an enum of what can be found, a [`Check`] that
//! looks, and a page in `docs/checks/` that says how to fix each kind.

mod names;

use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Cluster, Code, Database, Failure, Finding, FindingKind, Registry,
    Side, Subject, async_trait, quoted,
};
use serde::Serialize;

/// Adds the checks of this package.
pub fn register(registry: Registry) -> Registry {
    registry
        .with_cluster_check(Connection)
        .with_check(DatabaseConnection)
}

/// What keeps us out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Obstacle {
    /// The server can't be reached, or does not let us in.
    CannotConnect {
        /// Which server.
        side: Side,
        /// What kind of failure.
        code: Code,
        /// What could not be done, with host and port.
        operation: String,
        /// What the server or the system says, with its causes.
        error: String,
        /// What the user can do.
        #[serde(skip)]
        hint: Option<String>,
    },
    /// The role may not connect to the database.
    NoConnectPrivilege {
        /// Which server.
        side: Side,
        /// The database.
        database: String,
        /// The role.
        role: String,
    },
    /// Nobody may connect to the database (`datallowconn`).
    ConnectionsNotAllowed {
        /// Which server.
        side: Side,
        /// The database.
        database: String,
    },
    /// A DROP DATABASE of it was interrupted: it can only be dropped (`datconnlimit` is -2).
    DatabaseInvalid {
        /// Which server.
        side: Side,
        /// The database.
        database: String,
    },
    /// Names that pghaul can't read, since no UTF-8 text stands for them.
    NamesNotUtf8 {
        /// The database.
        database: String,
        /// Its encoding.
        encoding: String,
        /// What bears such names, such as `tables`.
        of: Vec<&'static str>,
    },
    /// The database does not exist.
    DatabaseMissing {
        /// Which server.
        side: Side,
        /// The database.
        database: String,
    },
}

impl Obstacle {
    /// What an error at the connection's start means.
    fn new(failure: Failure, side: Side, role: &str) -> Self {
        let database = failure.database.clone().unwrap_or_default();
        match (failure.code, failure.sqlstate.as_deref()) {
            (Code::UnknownDatabase, _) => Self::DatabaseMissing { side, database },
            (Code::PermissionDenied, Some("42501")) => Self::NoConnectPrivilege {
                side,
                database,
                role: role.to_owned(),
            },
            (Code::PermissionDenied, Some("55000")) => Self::ConnectionsNotAllowed { side, database },
            (_, Some("55000")) if failure.message.contains("invalid database") => {
                Self::DatabaseInvalid { side, database }
            }
            (code, _) => {
                let mut error = failure.message;
                for cause in failure.causes {
                    error = format!("{error}: {cause}");
                }
                let operation = failure.operation.unwrap_or_else(|| "connect".to_owned());
                Self::CannotConnect {
                    side,
                    code,
                    operation,
                    error,
                    hint: failure.hint,
                }
            }
        }
    }
}

impl FindingKind for Obstacle {
    fn message(&self) -> String {
        match self {
            Self::CannotConnect {
                side,
                operation,
                error,
                ..
            } => {
                format!("could not {operation} (the {side}): {error}")
            }
            Self::NoConnectPrivilege { side, database, role } => {
                format!(
                    "role {} may not connect to database {database} on the {side}",
                    quoted(role)
                )
            }
            Self::ConnectionsNotAllowed { side, database } => {
                format!("database {database} on the {side} does not accept connections")
            }
            Self::DatabaseInvalid { side, database } => {
                format!(
                    "dropping database {database} on the {side} was interrupted: nobody can enter it any more"
                )
            }
            Self::NamesNotUtf8 {
                database,
                encoding,
                of,
            } => {
                format!(
                    "names in database {database}, which has the encoding {encoding}, can't be converted to UTF8: those of {}",
                    of.join(", ")
                )
            }
            Self::DatabaseMissing { side, database } => {
                format!("database {database} does not exist on the {side}")
            }
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::CannotConnect { hint, .. } => hint.clone(),
            Self::NoConnectPrivilege { side, database, role } => Some(format!(
                "on the {side}: GRANT CONNECT ON DATABASE {} TO {};",
                quoted(database),
                quoted(role)
            )),
            Self::ConnectionsNotAllowed { side, database } => Some(format!(
                "on the {side}: ALTER DATABASE {} WITH ALLOW_CONNECTIONS true;",
                quoted(database)
            )),
            Self::DatabaseInvalid { side, database } => Some(format!(
                "on the {side}: DROP DATABASE {};",
                quoted(database)
            )),
            Self::NamesNotUtf8 { .. } => Some(
                "rename what has such names; or leave the database out, and move it with pg_dump and pg_restore"
                    .to_owned(),
            ),
            Self::DatabaseMissing { .. } => {
                Some("check the name; `\\l` in psql lists those that exist".to_owned())
            }
        }
    }
}

/// What kept us out, where an attempt to get in failed.
fn obstacle<T>(attempt: Result<T, Failure>, side: Side, role: &str) -> Option<Obstacle> {
    Some(Obstacle::new(attempt.err()?, side, role))
}

/// The check `connection`.
#[derive(Debug, Clone, Copy)]
pub struct Connection;

#[async_trait]
impl Check for Connection {
    type Scope = Cluster;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "connection",
            summary: "both servers can be reached",
            after: &[],
        }
    }

    async fn examine(&self, ctx: &CheckContext<Cluster>) -> Result<Vec<Finding>, Failure> {
        let (source, target) = (ctx.source_server().resolved(), ctx.target_server().resolved());
        let found = [
            obstacle(ctx.source().await, Side::Source, source.user()),
            obstacle(ctx.target().await, Side::Target, target.user()),
        ];
        Ok(found
            .into_iter()
            .flatten()
            .map(|o| o.about("connection", Subject::Cluster))
            .collect())
    }
}

/// The check `database-connection`.
#[derive(Debug, Clone, Copy)]
pub struct DatabaseConnection;

#[async_trait]
impl Check for DatabaseConnection {
    type Scope = Database;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "database-connection",
            summary: "each database can be entered, on both sides where it exists",
            after: &["connection", "same-server"],
        }
    }

    async fn examine(&self, ctx: &CheckContext<Database>) -> Result<Vec<Finding>, Failure> {
        let (source, target) = (ctx.source_server().resolved(), ctx.target_server().resolved());
        let session = ctx.source().await;
        let names = match &session {
            Ok(session) => names::unreadable(session).await?,
            Err(_) => None,
        };
        let found = [
            obstacle(session, Side::Source, source.user()),
            names,
            obstacle(ctx.target_database().await, Side::Target, target.user()),
        ];
        let subject = Subject::Database(ctx.database().clone());
        Ok(found
            .into_iter()
            .flatten()
            .map(|o| o.about("database-connection", subject.clone()))
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(code: Code, sqlstate: &str) -> Failure {
        Failure::new(code, "no")
            .with_database("shop")
            .with_sqlstate(sqlstate)
            .with_operation("connect to h:1")
    }

    #[test]
    fn refusals_are_told_apart() {
        let kind = |code, sqlstate| {
            Obstacle::new(failure(code, sqlstate), Side::Source, "app")
                .about("connection", Subject::Cluster)
                .kind
        };
        assert_eq!(kind(Code::PermissionDenied, "42501"), "no-connect-privilege");
        assert_eq!(kind(Code::PermissionDenied, "55000"), "connections-not-allowed");
        assert_eq!(kind(Code::UnknownDatabase, "3D000"), "database-missing");
        assert_eq!(kind(Code::NotInHba, "28000"), "cannot-connect");
    }

    #[test]
    fn a_finding_names_host_and_cause() {
        let failure = failure(Code::ConnectionRefused, "").with_cause("Connection refused");
        let finding = Obstacle::new(failure, Side::Target, "app").about("connection", Subject::Cluster);
        assert_eq!(
            finding.message,
            "could not connect to h:1 (the target): no: Connection refused"
        );
        assert_eq!(finding.facts["code"], "connection-refused");
        assert_eq!(finding.facts["side"], "target");
    }
}
