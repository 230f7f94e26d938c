//! The check `target-empty`.

use pghaul_step::postgres::{ReadOnly, Session, Target};
use pghaul_step::quantity::more;
use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Code, Database, Failure, Finding, FindingKind, async_trait,
    exclude_database, ownership, quoted,
};
use serde::Serialize;

/// Why a database on the target can't be filled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum NotFree {
    /// It holds objects of somebody.
    NotEmpty {
        /// The database.
        database: String,
        /// The option that leaves it out, which names it as the source does.
        #[serde(skip)]
        exclude: String,
        /// How many relations, functions and types.
        count: i64,
        /// The first of them.
        first: Vec<String>,
    },
    /// Another migration fills it.
    BelongsToAnother {
        /// The database.
        database: String,
        /// The other migration, where we may know it.
        migration: Option<String>,
    },
}

impl FindingKind for NotFree {
    fn message(&self) -> String {
        match self {
            Self::NotEmpty {
                database,
                count,
                first,
                ..
            } => {
                let rest = more(*count, first.len());
                format!(
                    "database {database} exists on the target and is not empty: {}{rest}",
                    first.join(", ")
                )
            }
            Self::BelongsToAnother {
                database,
                migration: Some(migration),
            } => {
                format!("database {database} on the target belongs to the migration {migration}")
            }
            Self::BelongsToAnother {
                database,
                migration: None,
            } => {
                format!("database {database} on the target belongs to a migration of another role")
            }
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotEmpty {
                database, exclude, ..
            } => format!(
                "if an earlier migration has filled it, that one is finished, and applications may use it: leave it out with \
                 {exclude}; otherwise rename it: ALTER DATABASE {} RENAME TO {}; or drop it, where you know that \
                 nothing in it is needed",
                quoted(database),
                quoted(&format!("{database}_old"))
            ),
            Self::BelongsToAnother { migration, .. } => format!(
                "end that migration first, with the journal that it began with: pghaul remove; where that is lost: `pghaul doctor \
                 --drop {}`, which drops no data",
                migration.as_deref().unwrap_or("ID")
            ),
        })
    }
}

/// The check `target-empty`: where the database exists on the target, does nobody use it?
///
/// Empty means: no relation, function or type that is not an extension's, outside of PostgreSQL's own schemas
/// and `pghaul`. A database that an earlier run of this migration has created may hold anything.
#[derive(Debug, Clone, Copy)]
pub struct TargetEmpty;

#[async_trait]
impl Check for TargetEmpty {
    type Scope = Database;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "target-empty",
            summary: "a database that exists on the target is empty",
            after: super::AFTER,
        }
    }

    async fn examine(&self, ctx: &CheckContext<Database>) -> Result<Vec<Finding>, Failure> {
        let name = ctx.target_name().as_str();
        let Some(session) = ctx.target_database().await? else {
            return Ok(Vec::new());
        };
        let not_free = match ownership::owner(&session).await {
            Ok(Some(owner)) if ctx.landscape().migration.as_ref() == Some(&owner) => None,
            Ok(Some(owner)) => Some(NotFree::BelongsToAnother {
                database: name.to_owned(),
                migration: Some(owner),
            }),
            // A dump that is done leaves no owner behind, and what it has filled is meant to be full.
            Ok(None) if ctx.landscape().ours.contains(ctx.database()) => None,
            Ok(None) => contents(&session, ctx).await?,
            Err(failure) if failure.code == Code::PermissionDenied => Some(NotFree::BelongsToAnother {
                database: name.to_owned(),
                migration: None,
            }),
            Err(failure) => return Err(failure),
        };
        Ok(not_free
            .iter()
            .map(|n| n.about("target-empty", super::database(ctx)))
            .collect())
    }
}

async fn contents(
    session: &Session<Target, ReadOnly>,
    ctx: &CheckContext<Database>,
) -> Result<Option<NotFree>, Failure> {
    let rows = session
        .doing("see whether it is empty")
        .query(include_str!("contents.sql"), &[])
        .await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let count = row.get("count");
    let first = rows.iter().map(|row| row.get("object")).collect();
    Ok(Some(NotFree::NotEmpty {
        database: ctx.target_name().to_string(),
        exclude: exclude_database(ctx.database().as_str()),
        count,
        first,
    }))
}
