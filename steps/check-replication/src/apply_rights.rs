//! The check `apply-rights`.

use pghaul_step::apply_rights::{ACTS_AS_TABLE_OWNER, EVALUATED, NewOwners, powerless};
use pghaul_step::postgres::{ReadOnly, Row, Session, Source};
use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Concern, Database, Failure, Finding, FindingKind, Severity,
    Subject, async_trait, listed, quoted,
};
use serde::Serialize;

/// What follows from tables whose owners may not do what replication does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ApplyProblem {
    /// The subscription acts as pghaul's role instead.
    ActsAsPghaul {
        /// The role on the target.
        role: String,
        /// The tables, each with its reason.
        tables: Vec<String>,
    },
    /// The subscription acts as its owner, since the target is older than PostgreSQL 16.
    RunsCodeOfOwners {
        /// The role on the target.
        role: String,
        /// Whether it is a superuser.
        superuser: bool,
        /// The tables, each with a function that a change of it runs, and the function's owner.
        tables: Vec<String>,
    },
    /// The copy acts as pghaul's role, a superuser, on every version.
    CopyRunsCodeOfOwners {
        /// The role on the target.
        role: String,
        /// The tables, each with a function that the copy runs, and the function's owner.
        tables: Vec<String>,
    },
    /// pghaul's role has no right to the tables either.
    OwnersPowerless {
        /// The role on the target.
        role: String,
        /// The tables, each with its reason.
        tables: Vec<String>,
    },
}

impl FindingKind for ApplyProblem {
    fn severity(&self) -> Severity {
        match self {
            Self::ActsAsPghaul { .. } | Self::RunsCodeOfOwners { .. } | Self::CopyRunsCodeOfOwners { .. } => {
                Severity::Warning
            }
            Self::OwnersPowerless { .. } => Severity::Error,
        }
    }

    fn concern(&self) -> Concern {
        match self {
            Self::CopyRunsCodeOfOwners { .. } => Concern::Migration,
            _ => Concern::Replication,
        }
    }

    fn message(&self) -> String {
        match self {
            Self::ActsAsPghaul { role, tables } => format!(
                "changes of these tables ({}) can't be applied with the rights of their owners, so the subscription acts \
                 as role {} (run_as_owner): code in triggers, defaults and constraints of all its tables has the rights \
                 of that role until `pghaul remove`: {}",
                tables.len(),
                quoted(role),
                listed(tables)
            ),
            Self::RunsCodeOfOwners {
                role,
                superuser,
                tables,
            } => format!(
                "until `pghaul remove` every replicated change of these tables ({}) runs functions of other roles as {} {}: \
                 PostgreSQL acts as the owner of the table from version 16 on: {}",
                tables.len(),
                if *superuser { "superuser" } else { "role" },
                quoted(role),
                listed(tables)
            ),
            Self::CopyRunsCodeOfOwners { role, tables } => format!(
                "while pghaul copies rows and validates constraints, PostgreSQL runs functions of other roles as superuser {}, \
                 for these tables ({}): {}",
                quoted(role),
                tables.len(),
                listed(tables)
            ),
            Self::OwnersPowerless { role, tables } => format!(
                "changes of these tables ({}) can't be applied with the rights of their owners, nor with those of role {}: {}",
                tables.len(),
                quoted(role),
                listed(tables)
            ),
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::ActsAsPghaul { .. } => {
                "give the owners the rights on the source, if the code of their tables is not to be trusted"
            }
            Self::RunsCodeOfOwners { .. } => {
                "see that the owners of the functions are trusted, and can't log in to the target until `pghaul remove`"
            }
            Self::CopyRunsCodeOfOwners { .. } => {
                "see that the owners of the functions are trusted: on the target their functions may do what a superuser may; \
                 or connect to the target as a role that is no superuser"
            }
            Self::OwnersPowerless { .. } => {
                "give the owners the rights on the source; or connect to the target as a superuser"
            }
        }
        .to_owned())
    }
}

/// The check `apply-rights`: may the owners of the tables do what replication does?
#[derive(Debug, Clone, Copy)]
pub struct ApplyRights;

#[async_trait]
impl Check for ApplyRights {
    type Scope = Database;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "apply-rights",
            summary: "the tables' owners may do what replication does",
            after: &["database-connection"],
        }
    }

    async fn examine(&self, ctx: &CheckContext<Database>) -> Result<Vec<Finding>, Failure> {
        let target = ctx.target().await?;
        let role = target.role().await?;
        let source = ctx.source().await?;
        let about =
            |found: ApplyProblem| found.about("apply-rights", Subject::Database(ctx.database().clone()));
        let mut findings = Vec::new();
        if role.superuser {
            let tables = with_code_of_owners(&source, COPIED).await?;
            let role = role.name.clone();
            findings
                .extend((!tables.is_empty()).then_some(ApplyProblem::CopyRunsCodeOfOwners { role, tables }));
        }
        if target.server_version() < ACTS_AS_TABLE_OWNER {
            let tables = with_code_of_owners(&source, EVALUATED).await?;
            findings.extend((!tables.is_empty()).then_some(ApplyProblem::RunsCodeOfOwners {
                role: role.name,
                superuser: role.superuser,
                tables,
            }));
            return Ok(findings.into_iter().map(about).collect());
        }
        let owners = NewOwners::read(&*source, &*target, ctx.landscape().mapping()).await?;
        let tables: Vec<String> = powerless(&*source, None, &owners)
            .await?
            .iter()
            .map(ToString::to_string)
            .collect();
        let (superuser, role) = (role.superuser, role.name);
        findings.extend((!tables.is_empty()).then_some(match superuser {
            true => ApplyProblem::ActsAsPghaul { role, tables },
            false => ApplyProblem::OwnersPowerless { role, tables },
        }));
        Ok(findings.into_iter().map(about).collect())
    }
}

/// What a copy evaluates, as [`EVALUATED`].
const COPIED: &str = include_str!("copy_code.sql");

/// The tables for which functions run that belong to no superuser, with those: functions that these expressions call.
async fn with_code_of_owners(
    source: &Session<Source, ReadOnly>,
    evaluated: &str,
) -> Result<Vec<String>, Failure> {
    let doing = source.doing("look for functions that changes of tables run");
    let sql = include_str!("owners_code.sql").replace("{evaluated}", evaluated);
    let rows = doing.query(&sql, &[]).await?;
    let table = |row: &Row| {
        let text = |column: &str| row.get::<_, String>(column);
        format!(
            "{}.{} (function {} of role {})",
            quoted(&text("schema")),
            quoted(&text("name")),
            text("function"),
            quoted(&text("owner"))
        )
    };
    Ok(rows.iter().map(table).collect())
}
