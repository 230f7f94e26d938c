//! Anchors: the head of a journal, kept outside of it. Who rewrites the journal can't make it fit an anchor that he can't reach.

mod keeping;
mod signing;

pub(crate) use keeping::Keeper;
pub(crate) use signing::{Signer, Verifier};

use pghaul_core::event::Invocation;
use pghaul_core::journal::Head;
use pghaul_core::{Code, Failure, MigrationId, escaped};
use pghaul_store::{Clock, Holder};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The version of an anchor's line.
const VERSION: u32 = 1;

/// The head of a migration's journal at a time. A line of JSON; its fields are described in `docs/reference/journal.md`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Anchor {
    pghaul_anchor: u32,
    pub(crate) migration: MigrationId,
    pub(crate) name: String,
    /// `seq:hash`
    head: String,
    at: String,
    /// The command that ended.
    command: String,
    /// Who ran it: `user@host`.
    by: String,
    /// An SSH signature of [`Anchor::signed_text`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
}

impl Anchor {
    pub(crate) fn new(
        (migration, name): (&MigrationId, &str),
        head: &Head,
        command: &str,
        invocation: &Invocation,
    ) -> Self {
        let now = Holder::this_process(&Clock::system());
        Self {
            pghaul_anchor: VERSION,
            migration: migration.clone(),
            name: name.to_owned(),
            head: head.to_string(),
            at: now.since,
            command: command.to_owned(),
            by: format!("{}@{}", invocation.effective.name, now.host),
            signature: None,
        }
    }

    /// The head that it names.
    ///
    /// # Errors
    /// Where it is none.
    pub(crate) fn head(&self) -> Result<Head, Failure> {
        self.head
            .parse()
            .map_err(|error| Failure::new(Code::BadInput, "an anchor has no head").with_cause(error))
    }

    /// What a signature covers: every field but the signature, each in a line of its own. A line break in a field is escaped, so that
    /// none reaches into the next.
    fn signed_text(&self) -> String {
        let Self {
            pghaul_anchor,
            migration,
            name,
            head,
            at,
            command,
            by,
            signature: _,
        } = self;
        let lines = [migration.as_str(), name, head, at, command, by].map(escaped);
        format!("pghaul anchor {pghaul_anchor}\n{}\n", lines.join("\n"))
    }
}

/// The anchors in a file.
///
/// # Errors
/// Where it can't be read, or a line is no anchor.
pub(crate) fn read(path: &Path) -> Result<Vec<Anchor>, Failure> {
    let refused = |what: String| {
        Failure::new(Code::BadInput, what)
            .with_hint("name a file that --anchor has written, one anchor a line")
    };
    let text = std::fs::read_to_string(path)
        .map_err(|error| refused(format!("{} can't be read", path.display())).with_cause(error))?;
    let mut anchors = Vec::new();
    for (number, line) in (1..)
        .zip(text.lines())
        .filter(|(_, line)| !line.trim().is_empty())
    {
        let anchor: Anchor = serde_json::from_str(line).map_err(|error| {
            refused(format!("line {number} of {} is no anchor", path.display())).with_cause(error)
        })?;
        if anchor.pghaul_anchor != VERSION {
            let version = anchor.pghaul_anchor;
            let what = format!(
                "line {number} of {} is an anchor of version {version}",
                path.display()
            );
            return Err(Failure::new(Code::OtherRelease, what)
                .with_hint("use the pghaul that wrote it, or a newer one"));
        }
        anchors.push(anchor);
    }
    if anchors.is_empty() {
        return Err(refused(format!("{} holds no anchor", path.display())));
    }
    Ok(anchors)
}
