//! The check `reserved-schema`.

use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Database, Failure, Finding, FindingKind, async_trait,
};
use serde::Serialize;

/// A name of pghaul's that the source uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum NameTaken {
    /// The source has a schema `pghaul`, the name of pghaul's schema on the target.
    SchemaPghaulExists {
        /// Whether it holds the tables that pghaul itself creates: the rest of an earlier migration to here.
        of_pghaul: bool,
    },
}

impl FindingKind for NameTaken {
    fn message(&self) -> String {
        match self {
            Self::SchemaPghaulExists { of_pghaul: true } => {
                "the source has a schema pghaul of its own migration, which has not ended".to_owned()
            }
            Self::SchemaPghaulExists { of_pghaul: false } => {
                "the source has a schema pghaul; pghaul needs that name on the target for itself".to_owned()
            }
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::SchemaPghaulExists { of_pghaul: true } => {
                "end that migration with pghaul remove; if its journal is lost, on the source, in this database: \
                 DROP TABLE pghaul.owner, pghaul.effect; DROP SCHEMA pghaul;"
                    .to_owned()
            }
            Self::SchemaPghaulExists { of_pghaul: false } => {
                "give it another name: ALTER SCHEMA pghaul RENAME TO …;".to_owned()
            }
        })
    }
}

/// The check `reserved-schema`: is the name `pghaul` free?
#[derive(Debug, Clone, Copy)]
pub struct ReservedSchema;

#[async_trait]
impl Check for ReservedSchema {
    type Scope = Database;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "reserved-schema",
            summary: "the source has no schema named pghaul",
            after: super::AFTER,
        }
    }

    async fn examine(&self, ctx: &CheckContext<Database>) -> Result<Vec<Finding>, Failure> {
        let session = ctx.source().await?;
        let doing = session.doing("look for a schema pghaul");
        let Some(row) = doing.query_opt(include_str!("reserved_schema.sql"), &[]).await? else {
            return Ok(Vec::new());
        };
        let taken = NameTaken::SchemaPghaulExists {
            of_pghaul: row.get(0),
        };
        Ok(vec![taken.about("reserved-schema", super::database(ctx))])
    }
}
