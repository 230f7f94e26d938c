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
    /// How many anchors of it were compared, where a file of anchors was given.
    pub(crate) anchors: Option<usize>,
}

/// One line for each migration.
pub(crate) fn text(verified: &[Verified]) -> String {
    let line = |Verified {
                    entry,
                    verdict,
                    anchors,
                }: &Verified| {
        let (name, id) = (escaped(&entry.name), escaped(entry.id.as_str()));
        let name = paint(BOLD, format_args!("{name} ({id})"));
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

fn compared(anchors: Option<usize>) -> String {
    match anchors {
        None => String::new(),
        Some(0) => ", which no anchor confirms".to_owned(),
        Some(1) => ", as 1 anchor says".to_owned(),
        Some(anchors) => format!(", as {} say", plural(anchors as u64, "anchor")),
    }
}

/// The same for programs.
pub(crate) fn json(path: &Path, verified: &[Verified]) -> Value {
    json!({
        "journal": path.display().to_string(),
        "migrations": verified.iter().map(|Verified { entry, verdict, anchors }| json!({
            "anchors": anchors.unwrap_or_default(),
            "id": entry.id,
            "name": entry.name,
            "whole": verdict.is_ok(),
            "events": verdict.as_ref().ok().map(|head| head.seq),
            "head": verdict.as_ref().ok().map(ToString::to_string),
            "failure": verdict.as_ref().err(),
        })).collect::<Vec<_>>(),
    })
}
