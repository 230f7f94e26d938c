//! The check `tablespaces`.

use pghaul_step::postgres::Row;
use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Database, Failure, Finding, FindingKind, async_trait, quoted,
};
use serde::Serialize;
use std::collections::BTreeMap;

/// A tablespace that the target lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum MissingTablespace {
    /// The target has no tablespace of that name.
    TablespaceMissing {
        /// Its name.
        tablespace: String,
        /// How many tables, indexes and materialized views of the database are in it.
        relations: i64,
    },
    /// pghaul's role may not create anything in it.
    TablespaceNotPermitted {
        /// Its name.
        tablespace: String,
        /// pghaul's role on the target.
        role: String,
    },
}

impl FindingKind for MissingTablespace {
    fn message(&self) -> String {
        match self {
            Self::TablespaceMissing {
                tablespace,
                relations: 0,
            } => format!(
                "the database's default tablespace {} does not exist on the target",
                quoted(tablespace)
            ),
            Self::TablespaceMissing {
                tablespace,
                relations,
            } => format!(
                "tablespace {}, with {relations} relations in it, does not exist on the target",
                quoted(tablespace)
            ),
            Self::TablespaceNotPermitted { tablespace, role } => format!(
                "role {} may not create anything in tablespace {} on the target",
                quoted(role),
                quoted(tablespace)
            ),
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::TablespaceMissing { tablespace, .. } => format!(
                "on the target: CREATE TABLESPACE {} LOCATION '…';",
                quoted(tablespace)
            ),
            Self::TablespaceNotPermitted { tablespace, role } => format!(
                "on the target: GRANT CREATE ON TABLESPACE {} TO {};",
                quoted(tablespace),
                quoted(role)
            ),
        })
    }
}

/// The check `tablespaces`: has the target the tablespaces that the database uses?
#[derive(Debug, Clone, Copy)]
pub struct Tablespaces;

#[async_trait]
impl Check for Tablespaces {
    type Scope = Database;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "tablespaces",
            summary: "the target has the tablespaces that the database uses",
            after: super::AFTER,
        }
    }

    async fn examine(&self, ctx: &CheckContext<Database>) -> Result<Vec<Finding>, Failure> {
        let source = ctx.source().await?;
        let used = source
            .doing("list the tablespaces in use")
            .query(include_str!("tablespaces.sql"), &[])
            .await?;
        if used.is_empty() {
            return Ok(Vec::new());
        }
        let sql = "SELECT spcname::text, pg_catalog.has_tablespace_privilege(oid, 'CREATE') FROM pg_catalog.pg_tablespace";
        let target = ctx.target().await?;
        let rows = target.doing("list the tablespaces").query(sql, &[]).await?;
        let there: BTreeMap<String, bool> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        let role = target.role().await?.name;
        let judge = |row: &Row| {
            let tablespace: String = row.get("name");
            match (there.get(&tablespace), row.get("relations")) {
                (None, relations) => Some(MissingTablespace::TablespaceMissing {
                    tablespace,
                    relations,
                }),
                // The database's default is not moved.
                (Some(false), relations) if relations > 0 => {
                    Some(MissingTablespace::TablespaceNotPermitted {
                        tablespace,
                        role: role.clone(),
                    })
                }
                _ => None,
            }
        };
        let missing = used.iter().filter_map(judge);
        Ok(missing
            .map(|missing| missing.about("tablespaces", super::database(ctx)))
            .collect())
    }
}
