//! The check `tablespaces`.

use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Database, Failure, Finding, FindingKind, async_trait, quoted,
};
use serde::Serialize;
use std::collections::BTreeSet;

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
}

impl FindingKind for MissingTablespace {
    fn message(&self) -> String {
        let Self::TablespaceMissing {
            tablespace,
            relations,
        } = self;
        let tablespace = quoted(tablespace);
        match relations {
            0 => format!("the database's default tablespace {tablespace} does not exist on the target"),
            count => {
                format!("tablespace {tablespace}, with {count} relations in it, does not exist on the target")
            }
        }
    }

    fn hint(&self) -> Option<String> {
        let Self::TablespaceMissing { tablespace, .. } = self;
        Some(format!(
            "on the target: CREATE TABLESPACE {} LOCATION '…';",
            quoted(tablespace)
        ))
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
        let sql = "SELECT spcname::text FROM pg_catalog.pg_tablespace";
        let target = ctx.target().await?;
        let rows = target.doing("list the tablespaces").query(sql, &[]).await?;
        let there: BTreeSet<String> = rows.iter().map(|row| row.get(0)).collect();
        let missing = used
            .iter()
            .filter(|row| !there.contains(row.get::<_, &str>("name")))
            .map(|row| {
                let missing = MissingTablespace::TablespaceMissing {
                    tablespace: row.get("name"),
                    relations: row.get("relations"),
                };
                missing.about("tablespaces", super::database(ctx))
            });
        Ok(missing.collect())
    }
}
