//! What a verification of journals found.

use super::quantity::plural;
use crate::style::{BOLD, ERROR, GOOD, paint};
use pghaul_core::journal::Head;
use pghaul_core::{Failure, escaped};
use pghaul_store::MigrationEntry;
use serde_json::{Value, json};
use std::path::Path;

/// A migration, and the end of its journal when that is whole.
pub(crate) struct Verified {
    pub(crate) entry: MigrationEntry,
    pub(crate) verdict: Result<Head, Failure>,
    /// How many anchors of it were compared.
    pub(crate) anchors: usize,
}

/// One line for each migration.
pub(crate) fn text(verified: &[Verified]) -> String {
    let line = |Verified {
                    entry,
                    verdict,
                    anchors,
                }: &Verified| {
        let name = paint(BOLD, format_args!("{} ({})", escaped(&entry.name), entry.id));
        match verdict {
            Ok(head) => format!(
                "{name}: {}, {} events, head {head}{}\n",
                paint(GOOD, "whole"),
                head.seq,
                compared(*anchors)
            ),
            Err(failure) => format!(
                "{name}: {}, {}\n",
                paint(ERROR, "not whole"),
                escaped(&failure.to_string())
            ),
        }
    };
    match verified {
        [] => "the journal holds no migration\n".to_owned(),
        verified => verified.iter().map(line).collect(),
    }
}

fn compared(anchors: usize) -> String {
    match anchors {
        0 => String::new(),
        anchors => format!(", as {} say", plural(anchors as u64, "anchor")),
    }
}

/// The same for programs.
pub(crate) fn json(path: &Path, verified: &[Verified]) -> Value {
    json!({
        "journal": path.display().to_string(),
        "migrations": verified.iter().map(|Verified { entry, verdict, anchors }| json!({
            "anchors": anchors,
            "id": entry.id,
            "name": entry.name,
            "whole": verdict.is_ok(),
            "events": verdict.as_ref().ok().map(|head| head.seq),
            "head": verdict.as_ref().ok().map(ToString::to_string),
            "failure": verdict.as_ref().err(),
        })).collect::<Vec<_>>(),
    })
}
