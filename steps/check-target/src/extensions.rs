//! The check `extensions`.

use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Database, Failure, Finding, FindingKind, Subject, async_trait,
    quoted,
};
use serde::Serialize;
use std::collections::BTreeSet;

/// An extension that the target lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum MissingExtension {
    /// Its files are not on the target.
    ExtensionNotAvailable {
        /// Its name.
        extension: String,
        /// The version on the source.
        version: String,
    },
}

impl FindingKind for MissingExtension {
    fn message(&self) -> String {
        let Self::ExtensionNotAvailable { extension, version } = self;
        format!("extension {extension} (version {version}) is not available on the target")
    }

    fn hint(&self) -> Option<String> {
        let Self::ExtensionNotAvailable { extension, .. } = self;
        Some(format!(
            "install its package on the target's machine; or, if nothing needs it, on the source: DROP EXTENSION {};",
            quoted(extension)
        ))
    }
}

/// The check `extensions`: can the source's extensions be created on the target?
#[derive(Debug, Clone, Copy)]
pub struct Extensions;

#[async_trait]
impl Check for Extensions {
    type Scope = Database;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "extensions",
            summary: "the source's extensions are available on the target",
            after: super::AFTER,
        }
    }

    async fn examine(&self, ctx: &CheckContext<Database>) -> Result<Vec<Finding>, Failure> {
        let sql = "SELECT name::text FROM pg_catalog.pg_available_extensions";
        let target = ctx.target().await?;
        let rows = target
            .doing("list the available extensions")
            .query(sql, &[])
            .await?;
        let available: BTreeSet<String> = rows.iter().map(|row| row.get(0)).collect();
        let sql = "SELECT extname::text, extversion FROM pg_catalog.pg_extension ORDER BY extname::text COLLATE \"C\"";
        let source = ctx.source().await?;
        let rows = source.doing("list the extensions").query(sql, &[]).await?;
        let missing = rows
            .iter()
            .filter(|row| !available.contains(row.get::<_, &str>(0)))
            .map(|row| {
                let missing = MissingExtension::ExtensionNotAvailable {
                    extension: row.get(0),
                    version: row.get(1),
                };
                let object = format!("extension {}", quoted(row.get(0)));
                missing.about(
                    "extensions",
                    Subject::Object {
                        database: ctx.database().clone(),
                        object,
                    },
                )
            });
        Ok(missing.collect())
    }
}
