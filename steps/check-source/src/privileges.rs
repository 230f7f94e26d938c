//! The check `privileges`.

use pghaul_step::catalog::{Catalog, TableName};
use pghaul_step::postgres::{Ident, QualifiedName};
use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Database, Failure, Finding, FindingKind, Subject, async_trait,
    quoted,
};
use serde::Serialize;
use std::collections::BTreeSet;

/// So many findings are shown one by one, the rest as a number.
const SHOWN: usize = 20;

/// What pghaul's role may not read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum MissingPrivilege {
    /// No USAGE on a schema that holds tables or sequences.
    NoUsage {
        /// The schema.
        schema: String,
        /// pghaul's role.
        role: String,
    },
    /// No SELECT on a table or sequence.
    NoSelect {
        /// `table` or `sequence`.
        relation_kind: String,
        /// The schema.
        schema: String,
        /// The table or sequence.
        name: String,
        /// pghaul's role.
        role: String,
    },
    /// There are more than are shown one by one.
    MorePrivilegesMissing {
        /// How many more.
        more: usize,
        /// pghaul's role.
        role: String,
        /// Whether the server has the role `pg_read_all_data` (PostgreSQL 14).
        read_all_data: bool,
    },
}

impl FindingKind for MissingPrivilege {
    fn message(&self) -> String {
        match self {
            Self::NoUsage { schema, role } => {
                format!("role {} may not use schema {}", quoted(role), quoted(schema))
            }
            Self::NoSelect {
                relation_kind,
                schema,
                name,
                role,
            } => {
                let (role, schema, name) = (quoted(role), quoted(schema), quoted(name));
                format!("role {role} may not read {relation_kind} {schema}.{name}")
            }
            Self::MorePrivilegesMissing { more, role, .. } => {
                format!(
                    "role {} may not read {more} more schemas, tables or sequences",
                    quoted(role)
                )
            }
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoUsage { schema, role } => {
                format!("GRANT USAGE ON SCHEMA {} TO {};", quoted(schema), quoted(role))
            }
            Self::NoSelect {
                relation_kind,
                schema,
                name,
                role,
            } => {
                let (kind, role) = (relation_kind.to_uppercase(), quoted(role));
                format!(
                    "GRANT SELECT ON {kind} {}.{} TO {role};",
                    quoted(schema),
                    quoted(name)
                )
            }
            Self::MorePrivilegesMissing {
                role,
                read_all_data: true,
                ..
            } => {
                format!("as a superuser: GRANT pg_read_all_data TO {};", quoted(role))
            }
            Self::MorePrivilegesMissing { .. } => {
                "GRANT SELECT ON ALL TABLES IN SCHEMA …, or connect as the owner or a superuser".to_owned()
            }
        })
    }
}

/// The check `privileges`: may pghaul's role read every schema, table and sequence?
///
/// Tables of extensions count only where the extension marks their rows as the user's. Roots of partition trees
/// count, too: `pg_dump` locks them.
#[derive(Debug, Clone, Copy)]
pub struct Privileges;

#[async_trait]
impl Check for Privileges {
    type Scope = Database;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "privileges",
            summary: "pghaul's role may read everything",
            after: super::AFTER,
        }
    }

    async fn examine(&self, ctx: &CheckContext<Database>) -> Result<Vec<Finding>, Failure> {
        let session = ctx.source().await?;
        let role = session.role().await?.name;
        let missing = missing(&*ctx.catalog().await?, &role);
        let mut findings = Vec::new();
        for missing in missing.iter().take(SHOWN) {
            findings.push(missing.about("privileges", subject(ctx, missing)?));
        }
        if let Some(more) = missing.len().checked_sub(SHOWN).filter(|more| *more > 0) {
            let read_all_data = session.server_version() >= 140_000;
            let missing = MissingPrivilege::MorePrivilegesMissing {
                more,
                role,
                read_all_data,
            };
            findings.push(missing.about("privileges", super::database(ctx)));
        }
        Ok(findings)
    }
}

/// What the role may not use or read: schemas, then sequences, then tables.
fn missing(catalog: &Catalog, role: &str) -> Vec<MissingPrivilege> {
    let no_select = |relation_kind: &str, name: &TableName| MissingPrivilege::NoSelect {
        relation_kind: relation_kind.to_owned(),
        schema: name.schema.clone(),
        name: name.name.clone(),
        role: role.to_owned(),
    };
    let tables = || {
        catalog
            .relations
            .tables()
            .filter(|table| table.holds_rows_of_users())
    };
    let sequences = || catalog.sequences.iter().filter(|sequence| sequence.is_of_users());
    let used: BTreeSet<&str> = tables()
        .map(|table| table.name.schema.as_str())
        .chain(sequences().map(|sequence| sequence.name.schema.as_str()))
        .collect();
    let schemas = catalog
        .schemas
        .iter()
        .filter(|schema| !schema.usable && used.contains(&*schema.name));
    let schemas = schemas.map(|schema| MissingPrivilege::NoUsage {
        schema: schema.name.to_string(),
        role: role.to_owned(),
    });
    let sequences = sequences().filter(|sequence| !sequence.readable);
    let tables = tables().filter(|table| !table.readable);
    schemas
        .chain(sequences.map(|sequence| no_select("sequence", &sequence.name)))
        .chain(tables.map(|table| no_select("table", &table.name)))
        .collect()
}

fn subject(ctx: &CheckContext<Database>, missing: &MissingPrivilege) -> Result<Subject, Failure> {
    let object = match missing {
        MissingPrivilege::NoUsage { schema, .. } => format!("schema {}", Ident::new(schema)?),
        MissingPrivilege::NoSelect {
            relation_kind,
            schema,
            name,
            ..
        } => format!("{relation_kind} {}", QualifiedName::new(schema, name)?),
        MissingPrivilege::MorePrivilegesMissing { .. } => return Ok(super::database(ctx)),
    };
    Ok(Subject::Object {
        database: ctx.database().clone(),
        object,
    })
}
