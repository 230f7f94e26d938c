//! The check `sequences`.

use pghaul_step::catalog::Sequence;
use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Concern, Database, Failure, Finding, FindingKind, Method, Severity,
    async_trait,
};
use serde::Serialize;

/// Sequences that replication does not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum NotFollowed {
    /// The target's sequences stand still until they are set.
    SequencesNotFollowed {
        /// How many.
        sequences: usize,
        /// How many of them belong to identity columns.
        identities: usize,
    },
}

impl FindingKind for NotFollowed {
    fn severity(&self) -> Severity {
        Severity::Note
    }

    fn concern(&self) -> Concern {
        Concern::Replication
    }

    fn message(&self) -> String {
        let Self::SequencesNotFollowed {
            sequences,
            identities,
        } = self;
        let identities = match identities {
            0 => String::new(),
            count => format!(", {count} of identity columns"),
        };
        format!(
            "replication does not move sequences ({sequences}{identities}): they are set when pghaul sets them"
        )
    }

    fn hint(&self) -> Option<String> {
        Some(
            "write nothing to the target before the cutover: every pghaul run sets them, and pghaul remove for the last time"
                .to_owned(),
        )
    }
}

/// The check `sequences`: are there any, which replication does not follow?
#[derive(Debug, Clone, Copy)]
pub struct Sequences;

#[async_trait]
impl Check for Sequences {
    type Scope = Database;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "sequences",
            summary: "how many sequences stand still until the cutover",
            after: super::AFTER,
        }
    }

    async fn examine(&self, ctx: &CheckContext<Database>) -> Result<Vec<Finding>, Failure> {
        // A dump moves them with the rows.
        if ctx.landscape().forced == Some(Method::Dump) {
            return Ok(Vec::new());
        }
        let catalog = ctx.catalog().await?;
        let of_users = || catalog.sequences.iter().filter(|s| s.extension.is_none());
        let sequences = of_users().count();
        if sequences == 0 {
            return Ok(Vec::new());
        }
        let of_identity = |s: &&Sequence| s.belongs_to.is_some_and(|column| column.identity);
        let found = NotFollowed::SequencesNotFollowed {
            sequences,
            identities: of_users().filter(of_identity).count(),
        };
        Ok(vec![found.about("sequences", super::database(ctx))])
    }
}
