//! The check `selection`.

use pghaul_step::selection::{Listed, SelectedObjects};
use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Database, Failure, Finding, FindingKind, Severity, Subject,
    async_trait,
};
use serde::Serialize;
use std::collections::BTreeSet;

/// What a selection does that its patterns do not say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(crate) enum Consequence {
    /// Tables that no pattern excludes stay behind with their rows.
    TablesNeedWhatIsLeftOut {
        /// Which, and why.
        tables: Vec<String>,
    },
    /// Tables of the provider are moved with their rows.
    TablesOfProviderNeeded {
        /// The provider.
        title: String,
        /// Which, and why.
        tables: Vec<String>,
    },
    /// Objects belong to roles that are not created, or grants name them.
    ExcludedRoleNeeded {
        /// The role.
        role: String,
        /// Some of the objects.
        objects: Vec<String>,
    },
}

impl FindingKind for Consequence {
    fn severity(&self) -> Severity {
        match self {
            Self::TablesNeedWhatIsLeftOut { .. } | Self::TablesOfProviderNeeded { .. } => Severity::Warning,
            Self::ExcludedRoleNeeded { .. } => Severity::Error,
        }
    }

    fn message(&self) -> String {
        match self {
            Self::TablesNeedWhatIsLeftOut { tables } => format!(
                "these tables are left out with their rows, although no pattern excludes them: {}",
                tables.join("; ")
            ),
            Self::TablesOfProviderNeeded { title, tables } => format!(
                "these tables belong to {title} and come along with their rows, since something else needs them: {}",
                tables.join("; ")
            ),
            Self::ExcludedRoleNeeded { role, objects } => format!(
                "role {role} is left out and is not on the target, but these objects need it: {}",
                objects.join(", ")
            ),
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::TablesNeedWhatIsLeftOut { .. } => {
                "exclude less; or exclude these tables too, to say that they are to stay behind".to_owned()
            }
            Self::TablesOfProviderNeeded { .. } => {
                "to leave them behind, exclude them with --exclude-table: what needs them is then left out too, and listed"
                    .to_owned()
            }
            Self::ExcludedRoleNeeded { role, .. } => format!(
                "create the role on the target before: CREATE ROLE {}; or do not exclude it",
                pghaul_step::quoted(role)
            ),
        })
    }
}

/// The check `selection`: does the selection leave out or bring along more than its patterns say?
#[derive(Debug, Clone, Copy)]
pub struct Selection;

#[async_trait]
impl Check for Selection {
    type Scope = Database;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "selection",
            summary: "the selection leaves out and brings along nothing that its patterns do not name",
            after: &["database-connection"],
        }
    }

    async fn examine(&self, ctx: &CheckContext<Database>) -> Result<Vec<Finding>, Failure> {
        let mut found = Vec::new();
        if let Some(selected) = ctx.selected().await? {
            found.extend(tables(ctx, &selected));
        }
        found.extend(roles(ctx).await?);
        let subject = Subject::Database(ctx.database().clone());
        let findings = found
            .iter()
            .map(|found| found.about("selection", subject.clone()));
        Ok(findings.collect())
    }
}

fn tables(ctx: &CheckContext<Database>, selected: &SelectedObjects) -> Vec<Consequence> {
    let listed = |listed: &[Listed], because: &str| {
        let tables = listed
            .iter()
            .filter(|listed| listed.is_table() && listed.why.contains(because));
        tables
            .map(|listed| format!("{} ({})", listed.object, listed.why))
            .collect::<Vec<_>>()
    };
    let lost = listed(&selected.left_out, "it needs ");
    let brought = listed(&selected.brought, "");
    let provider = ctx.landscape().selection.provider.as_ref();
    let of_provider = provider.filter(|_| !brought.is_empty() && !selected.names_what_is_moved());
    let lost = (!lost.is_empty()).then_some(Consequence::TablesNeedWhatIsLeftOut { tables: lost });
    let brought = of_provider.map(|provider| Consequence::TablesOfProviderNeeded {
        title: provider.title.clone(),
        tables: brought,
    });
    lost.into_iter().chain(brought).collect()
}

/// Excluded roles that something needs and that the target lacks.
async fn roles(ctx: &CheckContext<Database>) -> Result<Vec<Consequence>, Failure> {
    let objects = &ctx.landscape().selection.objects;
    if objects.exclude_roles.is_empty() {
        return Ok(Vec::new());
    }
    let (catalogs, oids) = ctx.left_out().await?;
    let source = ctx.source().await?;
    let doing = source.doing("read which roles objects need");
    let needed = doing
        .query(include_str!("roles_needed.sql"), &[&catalogs, &oids])
        .await?;
    let target = ctx.target().await?;
    let sql = "SELECT rolname::text FROM pg_catalog.pg_roles";
    let there = target.doing("list the roles").query(sql, &[]).await?;
    let there: BTreeSet<String> = there.iter().map(|row| row.get(0)).collect();
    let missing = needed.iter().filter_map(|row| {
        let role: String = row.get("role");
        let is_missing = objects.excludes_role(&role) && !there.contains(&role);
        is_missing.then(|| Consequence::ExcludedRoleNeeded {
            role,
            objects: row.get("objects"),
        })
    });
    Ok(missing.collect())
}
