//! The check `apply-rights`.

use pghaul_step::apply_rights::{ACTS_AS_TABLE_OWNER, powerless};
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
            Self::ActsAsPghaul { .. } => Severity::Warning,
            Self::OwnersPowerless { .. } => Severity::Error,
        }
    }

    fn concern(&self) -> Concern {
        Concern::Replication
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
        if target.server_version() < ACTS_AS_TABLE_OWNER {
            return Ok(Vec::new());
        }
        let role = target.role().await?;
        let source = ctx.source().await?;
        let tables: Vec<String> = powerless(&*source, None)
            .await?
            .iter()
            .map(ToString::to_string)
            .collect();
        if tables.is_empty() {
            return Ok(Vec::new());
        }
        let (superuser, role) = (role.superuser, role.name);
        let found = match superuser {
            true => ApplyProblem::ActsAsPghaul { role, tables },
            false => ApplyProblem::OwnersPowerless { role, tables },
        };
        let subject = Subject::Database(ctx.database().clone());
        Ok(vec![found.about("apply-rights", subject)])
    }
}
