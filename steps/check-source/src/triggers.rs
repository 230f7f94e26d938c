//! The check `triggers-always`.

use pghaul_step::plan::{HeldBackKind, classify, hold_back};
use pghaul_step::postgres::QualifiedName;
use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Database, Failure, Finding, FindingKind, Severity, async_trait,
    listed, quoted,
};
use serde::Serialize;

/// Triggers that stay disabled on the target until the cutover.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum HeldBack {
    /// ENABLE ALWAYS or ENABLE REPLICA: replication would fire them once more.
    TriggersHeldBack {
        /// `trigger on table`.
        triggers: Vec<String>,
    },
    /// Event triggers, which pghaul's own DDL and REFRESH would fire.
    EventTriggersHeldBack {
        /// Their names.
        triggers: Vec<String>,
    },
}

impl FindingKind for HeldBack {
    fn severity(&self) -> Severity {
        Severity::Note
    }

    fn message(&self) -> String {
        match self {
            Self::TriggersHeldBack { triggers } => format!(
                "ENABLE ALWAYS or REPLICA triggers would fire for replicated rows, so they are held back ({}): {}",
                triggers.len(),
                listed(triggers)
            ),
            Self::EventTriggersHeldBack { triggers } => {
                format!(
                    "event triggers are held back ({}): {}",
                    triggers.len(),
                    listed(triggers)
                )
            }
        }
    }

    fn hint(&self) -> Option<String> {
        Some("nothing: they are on the target, disabled, and pghaul remove enables them".to_owned())
    }
}

/// The check `triggers-always`: which triggers would fire although it is replication that writes?
#[derive(Debug, Clone, Copy)]
pub struct TriggersAlways;

#[async_trait]
impl Check for TriggersAlways {
    type Scope = Database;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "triggers-always",
            summary: "which triggers are held back",
            after: super::AFTER,
        }
    }

    async fn examine(&self, ctx: &CheckContext<Database>) -> Result<Vec<Finding>, Failure> {
        let catalog = ctx.catalog().await?;
        let (mut triggers, mut event_triggers) = (Vec::new(), Vec::new());
        for held in hold_back(&classify(&catalog), &catalog) {
            let name = quoted(&held.name);
            match (held.kind, &held.table) {
                (HeldBackKind::Trigger, Some(table)) => {
                    triggers.push(format!("{name} on {}", QualifiedName::try_from(table)?.short()));
                }
                (HeldBackKind::EventTrigger, _) => event_triggers.push(name),
                _ => {}
            }
        }
        let mut findings = Vec::new();
        if !triggers.is_empty() {
            findings.push(HeldBack::TriggersHeldBack { triggers });
        }
        if !event_triggers.is_empty() {
            findings.push(HeldBack::EventTriggersHeldBack {
                triggers: event_triggers,
            });
        }
        Ok(findings
            .iter()
            .map(|held| held.about("triggers-always", super::database(ctx)))
            .collect())
    }
}
