//! The check `user-mappings`.

use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Database, Failure, Finding, FindingKind, Severity, async_trait,
    listed, quoted,
};
use serde::Serialize;

/// What pghaul's role may not read of user mappings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum HiddenOptions {
    /// Their options, such as a password.
    OptionsHidden {
        /// The mappings, each as `app on server crm`.
        mappings: Vec<String>,
        /// pghaul's role on the source.
        role: String,
    },
}

impl FindingKind for HiddenOptions {
    fn severity(&self) -> Severity {
        Severity::Warning
    }

    fn message(&self) -> String {
        let Self::OptionsHidden { mappings, role } = self;
        format!(
            "user mappings ({}) arrive without their options, such as a password, which role {} may not read: {}",
            mappings.len(),
            quoted(role),
            listed(mappings)
        )
    }

    fn hint(&self) -> Option<String> {
        Some(
            "connect to the source as a superuser; or add the options on the target afterwards: \
             ALTER USER MAPPING FOR … SERVER … OPTIONS (ADD …);"
                .to_owned(),
        )
    }
}

/// The check `user-mappings`: may pghaul's role read the options of user mappings?
#[derive(Debug, Clone, Copy)]
pub struct UserMappings;

#[async_trait]
impl Check for UserMappings {
    type Scope = Database;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "user-mappings",
            summary: "the options of user mappings can be read",
            after: super::AFTER,
        }
    }

    async fn examine(&self, ctx: &CheckContext<Database>) -> Result<Vec<Finding>, Failure> {
        let source = ctx.source().await?;
        let doing = source.doing("look for user mappings");
        let rows = doing.query(include_str!("user_mappings.sql"), &[]).await?;
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let mapping = |row: &pghaul_step::postgres::Row| {
            let role: Option<String> = row.get("role");
            let server: String = row.get("server");
            let role = role.map_or_else(|| "PUBLIC".to_owned(), |role| quoted(&role));
            format!("{role} on server {}", quoted(&server))
        };
        let hidden = HiddenOptions::OptionsHidden {
            mappings: rows.iter().map(mapping).collect(),
            role: source.role().await?.name,
        };
        Ok(vec![hidden.about("user-mappings", super::database(ctx))])
    }
}
