//! The check `inactive-slots`.

use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Cluster, Failure, Finding, FindingKind, Severity, Subject,
    async_trait, listed,
};
use serde::Serialize;

const GIB: i64 = 1024 * 1024 * 1024;

/// Slots of the source that nobody reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum SlotProblem {
    /// They keep much WAL.
    InactiveSlots {
        /// Their names.
        slots: Vec<String>,
        /// How much they keep together, in bytes.
        bytes: i64,
    },
    /// They have lost WAL that they need, and only take a place.
    LostSlots {
        /// Their names.
        slots: Vec<String>,
    },
}

impl FindingKind for SlotProblem {
    fn severity(&self) -> Severity {
        match self {
            Self::InactiveSlots { .. } => Severity::Warning,
            Self::LostSlots { .. } => Severity::Note,
        }
    }

    fn message(&self) -> String {
        match self {
            Self::InactiveSlots { slots, bytes } => format!(
                "slots on the source that nobody reads keep {:.1} GiB of WAL; ours will keep more meanwhile: {}",
                *bytes as f64 / GIB as f64,
                listed(slots)
            ),
            Self::LostSlots { slots } => format!(
                "slots on the source are lost and only take a place ({}): {}",
                slots.len(),
                listed(slots)
            ),
        }
    }

    fn hint(&self) -> Option<String> {
        let (Self::InactiveSlots { slots, .. } | Self::LostSlots { slots }) = self;
        let name = slots.first().map(String::as_str).unwrap_or_default();
        let name = pghaul_step::postgres::literal(name).unwrap_or_default();
        Some(format!(
            "for each whose consumer does not come back: SELECT pg_drop_replication_slot({name});"
        ))
    }
}

/// The check `inactive-slots`: are there slots on the source that keep WAL for nobody?
#[derive(Debug, Clone, Copy)]
pub struct InactiveSlots {
    /// From how many bytes of WAL on they are worth a warning; a GiB by default.
    pub keeping: i64,
}

impl Default for InactiveSlots {
    fn default() -> Self {
        Self { keeping: GIB }
    }
}

#[async_trait]
impl Check for InactiveSlots {
    type Scope = Cluster;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "inactive-slots",
            summary: "no slots on the source keep WAL for nobody",
            after: &["connection"],
        }
    }

    async fn examine(&self, ctx: &CheckContext<Cluster>) -> Result<Vec<Finding>, Failure> {
        let source = ctx.source().await?;
        // pghaul's own are read when their subscriptions are made.
        let ours = match &ctx.landscape().migration {
            Some(migration) => format!("pghaul\\_{migration}\\_%"),
            None => String::new(),
        };
        let doing = source.doing("look for slots that nobody reads");
        let rows = doing.query(include_str!("slots.sql"), &[&ours]).await?;
        let (lost, idle): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row.get::<_, bool>("lost"));
        let names = |rows: Vec<&pghaul_step::postgres::Row>| -> Vec<String> {
            rows.iter().map(|row| row.get("name")).collect()
        };
        let bytes: i64 = idle.iter().map(|row| row.get::<_, i64>("bytes")).sum();
        let mut found = Vec::new();
        if bytes >= self.keeping {
            found.push(SlotProblem::InactiveSlots {
                slots: names(idle),
                bytes,
            });
        }
        if !lost.is_empty() {
            found.push(SlotProblem::LostSlots { slots: names(lost) });
        }
        Ok(found
            .iter()
            .map(|problem| problem.about("inactive-slots", Subject::Cluster))
            .collect())
    }
}
