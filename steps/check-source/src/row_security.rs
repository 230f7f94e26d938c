//! The check `row-security`.

use pghaul_step::catalog::{self, Relation};
use pghaul_step::postgres::QualifiedName;
use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Database, Failure, Finding, FindingKind, Subject, async_trait,
    membership, quoted,
};
use serde::Serialize;

/// Rows that pghaul's role would not see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum HiddenRows {
    /// The policies of a table apply to pghaul's role.
    RowsMayBeHidden {
        /// The table's schema.
        schema: String,
        /// The table.
        table: String,
        /// The table's owner.
        owner: String,
        /// `FORCE ROW LEVEL SECURITY`: the policies apply to the owner, too.
        forced: bool,
        /// pghaul's role.
        role: String,
        /// The statements that let the role act as the owner.
        #[serde(skip)]
        statements: String,
    },
}

impl FindingKind for HiddenRows {
    fn message(&self) -> String {
        let Self::RowsMayBeHidden {
            schema, table, role, ..
        } = self;
        format!(
            "row-level security of table {}.{} may hide rows from role {}",
            quoted(schema),
            quoted(table),
            quoted(role)
        )
    }

    fn hint(&self) -> Option<String> {
        let Self::RowsMayBeHidden {
            forced,
            role,
            statements,
            ..
        } = self;
        let role = quoted(role);
        Some(match forced {
            true => format!("as a superuser: ALTER ROLE {role} BYPASSRLS;"),
            false => format!("as a superuser: ALTER ROLE {role} BYPASSRLS; or: {statements}"),
        })
    }
}

/// The check `row-security`: sees pghaul's role every row?
///
/// pghaul's sessions set `row_security = off`, so that a hidden row is an error and not a loss; this check says so
/// before anything is created.
#[derive(Debug, Clone, Copy)]
pub struct RowSecurity;

#[async_trait]
impl Check for RowSecurity {
    type Scope = Database;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "row-security",
            summary: "row-level security hides no rows from pghaul's role",
            after: super::AFTER,
        }
    }

    async fn examine(&self, ctx: &CheckContext<Database>) -> Result<Vec<Finding>, Failure> {
        let session = ctx.source().await?;
        let role = session.role().await?;
        if role.sees_all_rows() {
            return Ok(Vec::new());
        }
        let catalog = ctx.catalog().await?;
        let applies = |relation: &&Relation| match relation.row_security {
            catalog::RowSecurity::Disabled => false,
            catalog::RowSecurity::Enabled => !relation.owned,
            catalog::RowSecurity::Forced => true,
        };
        let finding = |relation: &Relation| {
            let hidden = HiddenRows::RowsMayBeHidden {
                schema: relation.name.schema.clone(),
                table: relation.name.name.clone(),
                owner: relation.owner.to_string(),
                forced: relation.row_security == catalog::RowSecurity::Forced,
                role: role.name.clone(),
                statements: membership(&role, session.server_version(), &[relation.owner.to_string()]),
            };
            let subject = Subject::Object {
                database: ctx.database().clone(),
                object: format!("table {}", QualifiedName::try_from(&relation.name)?),
            };
            Ok(hidden.about("row-security", subject))
        };
        let tables = catalog
            .relations
            .tables()
            .filter(|table| table.holds_rows_of_users());
        tables.filter(applies).map(finding).collect()
    }
}
