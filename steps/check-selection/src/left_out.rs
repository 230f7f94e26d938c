//! The check `left-out-databases`.

use pghaul_step::postgres::{PgError, ReadOnly, Server, Session, Source};
use pghaul_step::quantity::more;
use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Cluster, Code, Failure, Finding, FindingKind, Severity, Subject,
    async_trait,
};
use serde::Serialize;

/// The databases of PostgreSQL itself that are left out unless they are named, or hold tables or functions.
const ADMINISTRATIVE: [&str; 2] = ["postgres", "template1"];

/// How many objects a message names.
const NAMED: usize = 10;

/// A database that nobody has asked to leave out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(crate) enum LeftOut {
    /// It holds something.
    LeftOutWithObjects {
        /// The database.
        database: &'static str,
        /// All that it holds.
        objects: Vec<String>,
        /// Whether the migration has begun: which databases it moves stays as it is.
        #[serde(skip)]
        chosen: bool,
    },
    /// Nobody knows what it holds.
    LeftOutUnseen {
        /// The database.
        database: &'static str,
        /// What the server says.
        error: String,
        /// Whether the migration has begun.
        #[serde(skip)]
        chosen: bool,
    },
}

impl FindingKind for LeftOut {
    fn severity(&self) -> Severity {
        Severity::Warning
    }

    fn message(&self) -> String {
        match self {
            Self::LeftOutWithObjects {
                database, objects, ..
            } => {
                let first: Vec<&str> = objects.iter().take(NAMED).map(String::as_str).collect();
                let others = more(i64::try_from(objects.len()).unwrap_or(i64::MAX), first.len());
                format!(
                    "database {database} is not moved, but holds: {}{others}",
                    first.join(", ")
                )
            }
            Self::LeftOutUnseen { database, error, .. } => {
                format!(
                    "database {database} is not moved, and whether it holds anything can't be seen: {error}"
                )
            }
        }
    }

    fn hint(&self) -> Option<String> {
        let (moved, database, chosen) = match self {
            Self::LeftOutWithObjects {
                database: "template1",
                chosen,
                ..
            } => (
                "create the same in template1 of the target, so that new databases have it there too"
                    .to_owned(),
                "template1",
                chosen,
            ),
            Self::LeftOutWithObjects {
                database,
                chosen: true,
                ..
            } => {
                return Some(format!(
                    "run --name NAME --database {database} moves it, as another migration"
                ));
            }
            Self::LeftOutWithObjects { database, chosen, .. } => (
                format!("--database '*' --database {database} moves it too"),
                *database,
                chosen,
            ),
            Self::LeftOutUnseen { database, chosen, .. } => (
                "look into it as a role that may connect".to_owned(),
                *database,
                chosen,
            ),
        };
        Some(match chosen {
            true => moved,
            false => format!("{moved}; --exclude-database {database} says that it is not needed"),
        })
    }
}

/// The check `left-out-databases`: do databases that are left out by default hold something?
#[derive(Debug, Clone, Copy)]
pub struct LeftOutDatabases;

#[async_trait]
impl Check for LeftOutDatabases {
    type Scope = Cluster;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "left-out-databases",
            summary: "databases that are left out by default hold nothing",
            after: &["connection"],
        }
    }

    async fn examine(&self, ctx: &CheckContext<Cluster>) -> Result<Vec<Finding>, Failure> {
        let landscape = ctx.landscape();
        let selection = &landscape.selection;
        let mut found = Vec::new();
        if !selection.include.is_empty() {
            return Ok(found);
        }
        for database in ADMINISTRATIVE {
            let is_selected = landscape.selected.iter().any(|name| name.as_str() == database);
            if is_selected || selection.exclude.iter().any(|name| name == database) {
                continue;
            }
            if let Some(left_out) = left_out(ctx, database).await? {
                found.push(left_out.about("left-out-databases", Subject::Cluster));
            }
        }
        Ok(found)
    }
}

async fn left_out(ctx: &CheckContext<Cluster>, database: &'static str) -> Result<Option<LeftOut>, Failure> {
    let chosen = ctx.landscape().migration.is_some();
    match objects(ctx.source_server(), database).await {
        Ok(objects) if objects.is_empty() => Ok(None),
        Ok(objects) => Ok(Some(LeftOut::LeftOutWithObjects {
            database,
            objects,
            chosen,
        })),
        Err(error) => match error.code() {
            Code::UnknownDatabase => Ok(None),
            Code::PermissionDenied | Code::NotInHba | Code::AuthenticationFailed => {
                let error = error.message().to_owned();
                Ok(Some(LeftOut::LeftOutUnseen {
                    database,
                    error,
                    chosen,
                }))
            }
            _ => Err(error.into()),
        },
    }
}

/// Nobody can create a database while a session is in `template1`, so none is kept there.
async fn objects(source: &Server<Source>, database: &str) -> Result<Vec<String>, PgError> {
    let session: Session<Source, ReadOnly> = source.connect(database).await?;
    let doing = session.doing("look for objects of users");
    let rows = doing.query(include_str!("left_out.sql"), &[]).await;
    session.close().await;
    Ok(rows?.iter().map(|row| row.get(0)).collect())
}
