//! Why databases should not be removed now.

use super::Removal;
use pghaul_core::event::Incomplete;
use pghaul_core::{Code, DatabaseName, Failure};
use pghaul_step::shell_word;
use std::collections::BTreeSet;

/// Why a database should not be removed now.
#[derive(Debug, Default)]
pub(super) struct Reasons {
    /// It is not, or not known to be, on the target; one sentence each.
    pub(super) at_risk: Vec<String>,
    /// The source is written to while it is watched; one sentence each.
    pub(super) writing: Vec<String>,
    /// It was copied once, and was written to since.
    pub(super) written: Vec<Incomplete>,
    /// Something of it is to be completed by hand.
    pub(super) incomplete: Vec<Incomplete>,
}

impl Reasons {
    /// The objects that are incomplete, also those that the removal completes: it may fail to.
    pub(super) fn objects(&self) -> impl Iterator<Item = String> {
        self.incomplete.iter().map(|item| item.object.clone())
    }

    /// The names of what the removal completes that something else has as well, which is left to the user: a table that is not
    /// replicated, and has other privileges on the source. Who accepts such a name does not give up its rows.
    pub(super) fn ambiguous(&self) -> BTreeSet<String> {
        let is_open = |object: &str| {
            self.incomplete
                .iter()
                .any(|item| item.is_open() && item.object == object)
        };
        let completed = self.incomplete.iter().filter(|item| item.by_removal);
        let objects = completed.map(|item| &item.object);
        objects.filter(|object| is_open(object)).cloned().collect()
    }

    /// Leaves out what is allowed, and returns it.
    pub(super) fn allow(&mut self, removal: &Removal) -> Vec<Incomplete> {
        let mut left = Vec::new();
        if removal.applications_still_write {
            left.extend(self.writing.drain(..).map(|why| Incomplete {
                object: "rows that the source is given from now on".to_owned(),
                why,
                ..Incomplete::default()
            }));
            left.append(&mut self.written);
        }
        let ambiguous = self.ambiguous();
        let accepted = |item: &Incomplete| {
            let completed_still = item.by_removal && ambiguous.contains(&item.object);
            !completed_still && Incomplete::is_named(&item.object, removal.accepted())
        };
        // What the removal completes itself is no reason, and nothing is left of it, unless the user leaves it; nor is what is
        // kept for users of the target, which the proof lists.
        self.incomplete.retain(|item| item.is_open() || accepted(item));
        let allowed = |item: &Incomplete| removal.leaves_incomplete() || accepted(item);
        let (allowed, refused): (Vec<_>, Vec<_>) = self.incomplete.drain(..).partition(allowed);
        self.incomplete = refused;
        left.extend(allowed.into_iter().map(|item| Incomplete {
            by_removal: false,
            ..item
        }));
        left
    }

    /// The refusal of a removal, where there is a reason. What is of no database concerns the servers as a whole.
    pub(super) fn refusal(all: &[(Option<DatabaseName>, Self)]) -> Option<Failure> {
        let any = |of: fn(&Self) -> bool| all.iter().any(|(_, reasons)| of(reasons));
        let mut hints = Vec::new();
        if any(|r| !r.at_risk.is_empty()) {
            hints.push(
                "see what `pghaul run` says: it continues, and proves the state anew; `pghaul remove --force` removes all the same: what is on the target stays, what it lacks it lacks for good"
                    .to_owned(),
            );
        }
        let written: Vec<String> = all
            .iter()
            .filter(|(_, reasons)| !reasons.written.is_empty())
            .filter_map(|(database, _)| database.as_ref())
            .map(|database| format!("--restart-data {}", shell_word(database.as_str())))
            .collect();
        if !written.is_empty() {
            hints.push(format!(
                "stop everything that writes to the source, then `pghaul run {}` copies again, then remove",
                written.join(" ")
            ));
        } else if any(|r| !r.writing.is_empty()) {
            hints.push(
                "stop everything that writes to the source, end these transactions, then remove".to_owned(),
            );
        }
        if any(|r| !r.writing.is_empty() || !r.written.is_empty()) {
            hints.push(
                "`pghaul remove --applications-still-write` removes all the same: the target never gets these rows"
                    .to_owned(),
            );
        }
        let first = all.iter().find_map(|(_, reasons)| reasons.incomplete.first());
        if let Some(first) = first.filter(|_| hints.is_empty()) {
            hints.push(format!(
                "complete this by hand, before or after; `pghaul remove --accept-incomplete {}` accepts that the first is missing, by its name here, in which `*` stands for any text, and may name several; `--incomplete` leaves all of them to you; both still see to it that all else is on the target",
                shell_word(&first.object)
            ));
        }
        if hints.is_empty() {
            return None;
        }
        let refusal = Failure::new(
            Code::NotSafeToRemove,
            "removing now would leave the target incomplete",
        );
        let sentences = all.iter().flat_map(|(database, reasons)| {
            let objects = reasons.written.iter().chain(&reasons.incomplete);
            let objects = objects.map(|item| format!("{}: {}", item.object, item.why));
            let sentences = reasons.at_risk.iter().chain(&reasons.writing).cloned();
            let place = database
                .as_ref()
                .map(|database| format!("{database}: "))
                .unwrap_or_default();
            sentences
                .chain(objects)
                .map(move |sentence| format!("{place}{sentence}"))
        });
        Some(
            sentences
                .fold(refusal, Failure::with_cause)
                .with_hint(hints.join("; or ")),
        )
    }
}

/// An object is accepted by the name under which it is listed. A pattern need not match any.
pub(super) fn refuse_unlisted(accepted: &[String], listed: &BTreeSet<String>) -> Result<(), Failure> {
    let is_unknown = |name: &&String| !name.contains('*') && !listed.contains(*name);
    let Some(unknown) = accepted.iter().find(is_unknown) else {
        return Ok(());
    };
    let message = format!("nothing that is incomplete is called {unknown:?}");
    let failure = Failure::new(Code::BadInput, message).with_operation("read --accept-incomplete");
    if listed.is_empty() {
        return Err(failure.with_hint("nothing is incomplete: leave the option out"));
    }
    let names = listed.iter().map(|name| format!("listed is {name}"));
    Err(names
        .fold(failure, Failure::with_cause)
        .with_hint("name objects as `pghaul status` lists them"))
}
