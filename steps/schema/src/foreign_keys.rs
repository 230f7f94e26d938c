//! Foreign keys: added without a look at the rows, then validated side by side.
//!
//! Adding one locks two tables against writes; a look at all rows would hold these locks for long, and two of them
//! at a time could lock each other out. So large tables get theirs NOT VALID first. VALIDATE CONSTRAINT locks
//! almost nothing, and the tables are read side by side.

use crate::archive::Entry;
use crate::batch::Batch;
use crate::constraint::Constraint;
use crate::of_tables::Tables;
use crate::raw::sendable;
use crate::refusals::{is_refusal, refused};
use crate::restore::Restorer;
use crate::rows_in_the_way::query;
use crate::sizes::{LARGE, Sizes};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use pghaul_contracts::EffectKey;
use pghaul_step::ownership::effects;
use pghaul_step::postgres::{ReadWrite, Session, Target};
use pghaul_step::{Failure, Progress};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many foreign keys go into one transaction.
const BATCH: usize = 50;

/// Restores foreign keys: all of them valid in the end, but for those that are not on the source, and those that were
/// restored before and have to wait now, since a table of theirs is copied once more.
pub(crate) async fn restore<'a>(
    restorer: &Restorer<'a>,
    entries: &[&'a Entry],
    waiting: &BTreeSet<i32>,
) -> Result<(), Failure> {
    let ctx = restorer.ctx;
    let mut target = ctx.target().await?;
    for chunk in entries.chunks(BATCH) {
        ctx.check_cancelled()?;
        let mut batch = Batch::default();
        for entry in chunk {
            let later = match restorer.held_back(entry) {
                Some(_) => None,
                None => Later::of(&entry.statements),
            };
            batch.add(entry, later.as_ref().map(Later::not_valid));
            if later.is_some() {
                batch.note(unvalidated(entry));
            }
        }
        restorer.send(&mut target, &batch).await?;
    }
    drop(target);
    validate(restorer, waiting).await
}

fn unvalidated(entry: &Entry) -> String {
    EffectKey::Unvalidated(entry.id).to_string()
}

/// Validates every foreign key that is noted as not validated, but for those that have to wait.
async fn validate(restorer: &Restorer<'_>, waiting: &BTreeSet<i32>) -> Result<(), Failure> {
    let ctx = restorer.ctx;
    let target = ctx.target_for_reading().await?;
    let keys = effects(&target, EffectKey::UNVALIDATED).await?;
    let open: Vec<&Entry> = restorer
        .archive
        .entries
        .iter()
        .filter(|entry| keys.contains(&unvalidated(entry)) && !waiting.contains(&entry.id))
        .collect();
    if open.is_empty() {
        return Ok(());
    }
    let sizes = Sizes::read(&target, ctx.plan()).await?;
    drop(target);
    let tables = Tables::of(restorer.archive, ctx.plan());
    let bundles = bundled(&open, |entry| {
        tables.of_entry(entry).map(|table| sizes.of(table)).sum()
    });
    let workers = ctx.jobs().min(bundles.len());
    let next = AtomicUsize::new(0);
    let mut crew = Vec::new();
    for _ in 0..workers {
        crew.push(validator(restorer, &bundles, &next));
    }
    stream::iter(crew).buffer_unordered(workers).try_collect().await
}

/// Foreign keys that are validated in one transaction: those of small tables together, as their rows cost less than a
/// transaction.
///
/// VALIDATE CONSTRAINT keeps another one on the same table waiting until the end of its transaction, but none on another
/// table. So all keys of a table are in one transaction, and two transactions never wait for each other.
fn bundled<'e>(open: &[&'e Entry], size: impl Fn(&Entry) -> u64) -> Vec<Vec<&'e Entry>> {
    let mut of_tables: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
    for entry in open {
        let table = Later::of(&entry.statements).map_or("", |later| later.0.table);
        of_tables.entry(table).or_default().push(entry);
    }
    let mut bundles: Vec<Vec<&Entry>> = Vec::new();
    let mut bytes = 0;
    for entries in of_tables.into_values() {
        let more: u64 = entries.iter().map(|entry| size(entry)).sum();
        bytes += more;
        match bundles.last_mut() {
            Some(bundle) if bytes < LARGE && bundle.len() + entries.len() <= BATCH => bundle.extend(entries),
            _ => {
                bytes = more;
                bundles.push(entries);
            }
        }
    }
    bundles
}

async fn validator(
    restorer: &Restorer<'_>,
    bundles: &[Vec<&Entry>],
    next: &AtomicUsize,
) -> Result<(), Failure> {
    let ctx = restorer.ctx;
    let mut target: Session<Target, ReadWrite> = ctx.target().await?;
    while let Some(bundle) = bundles.get(next.fetch_add(1, Ordering::Relaxed)) {
        ctx.check_cancelled()?;
        let _worker = ctx.worker().await?;
        if let Err(failure) = validate_bundle(restorer, &mut target, bundle).await {
            match bundle.as_slice() {
                _ if !is_refusal(&failure) => return Err(failure),
                [key] => note_refusal(restorer, key, &failure),
                _ => {
                    for key in bundle {
                        match validate_bundle(restorer, &mut target, &[key]).await {
                            Err(failure) if is_refusal(&failure) => note_refusal(restorer, key, &failure),
                            other => other?,
                        }
                    }
                }
            }
        }
        ctx.progress(Progress::Count {
            what: "foreign keys",
            done: next.load(Ordering::Relaxed).min(bundles.len()) as u64,
            total: bundles.len() as u64,
        });
    }
    Ok(())
}

/// Validates some keys in one transaction.
async fn validate_bundle(
    restorer: &Restorer<'_>,
    target: &mut Session<Target, ReadWrite>,
    bundle: &[&Entry],
) -> Result<(), Failure> {
    let mut statements = String::new();
    for entry in bundle {
        let later = Later::of(&entry.statements)
            .ok_or_else(|| Failure::bug("a foreign key that can't be validated was noted as if it could"))?;
        statements.push_str(&later.validate());
    }
    let statements = sendable(&statements, restorer.archive.encoding());
    let keys: Vec<String> = bundle.iter().map(|entry| unvalidated(entry)).collect();
    let transaction = restorer.ctx.begin(target).await?;
    transaction.batch("validate foreign keys", &statements).await?;
    transaction.forget_each(&keys).await?;
    transaction.commit("validate foreign keys").await
}

/// A key that older rows violate stays NOT VALID: it holds for new ones.
fn note_refusal(restorer: &Restorer<'_>, key: &Entry, failure: &Failure) {
    let mut incomplete = refused(key.object(), failure);
    incomplete.why = format!("it is NOT VALID on the target: {}", failure.message);
    incomplete.sql = query(&key.statements, failure);
    restorer.refusals.refuse_effect(&unvalidated(key), incomplete);
}

/// The statements of a foreign key that check no row: nothing for that of a partitioned table.
pub(crate) fn unchecked(statements: &str) -> Option<String> {
    Later::of(statements).map(|later| later.not_valid())
}

/// A foreign key that can be validated later.
#[derive(Debug, PartialEq, Eq)]
struct Later<'s>(Constraint<'s>);

impl<'s> Later<'s> {
    /// Nothing for that of a partitioned table, which can't be NOT VALID, and one that is not valid on the source
    /// either.
    fn of(statements: &'s str) -> Option<Self> {
        let constraint = Constraint::of(statements)?;
        let definition = constraint.definition;
        let plain = definition.starts_with("FOREIGN KEY")
            && !definition.ends_with("NOT VALID")
            && !definition.ends_with("NOT ENFORCED")
            && constraint.then.trim().is_empty();
        plain.then_some(Self(constraint))
    }

    fn not_valid(&self) -> String {
        let Constraint {
            table,
            name,
            definition,
            ..
        } = self.0;
        format!("ALTER TABLE ONLY {table}\n    ADD CONSTRAINT {name} {definition} NOT VALID;\n")
    }

    fn validate(&self) -> String {
        let Constraint { table, name, .. } = self.0;
        format!("ALTER TABLE ONLY {table} VALIDATE CONSTRAINT {name};\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pg_dump_writes_is_taken_apart() {
        let statement = "ALTER TABLE ONLY public.\"O x\"\n    ADD CONSTRAINT \"a \"\" FOREIGN KEY\" FOREIGN KEY (c) REFERENCES public.c(id) ON DELETE CASCADE;\n";
        let later = Later::of(statement).unwrap();
        assert_eq!(
            later.not_valid(),
            "ALTER TABLE ONLY public.\"O x\"\n    ADD CONSTRAINT \"a \"\" FOREIGN KEY\" FOREIGN KEY (c) REFERENCES public.c(id) ON DELETE CASCADE NOT VALID;\n"
        );
        assert_eq!(
            later.validate(),
            "ALTER TABLE ONLY public.\"O x\" VALIDATE CONSTRAINT \"a \"\" FOREIGN KEY\";\n"
        );
    }

    /// pg_dump sorts foreign keys by their names.
    #[test]
    fn the_keys_of_a_table_are_validated_together() {
        let keys: Vec<Entry> = (0..200)
            .map(|key| Entry {
                id: key,
                namespace: "public".to_owned(),
                statements: format!(
                    "ALTER TABLE ONLY public.t{}\n    ADD CONSTRAINT k{key} FOREIGN KEY (a) REFERENCES public.a(id);\n",
                    key * 7 % 40
                ),
                ..Entry::bare(libpgdump::ObjectType::FkConstraint, "")
            })
            .collect();
        let entries: Vec<&Entry> = keys.iter().collect();
        for size in [1, LARGE / 8, LARGE] {
            let bundles = bundled(&entries, |_| size);
            let mut seen = BTreeSet::new();
            for bundle in &bundles {
                let tables: BTreeSet<i32> = bundle.iter().map(|entry| entry.id * 7 % 40).collect();
                assert!(seen.is_disjoint(&tables), "a table is in two transactions");
                seen.extend(tables);
            }
            assert_eq!(bundles.iter().map(Vec::len).sum::<usize>(), 200);
            assert_eq!(bundles.len(), if size == 1 { 4 } else { 40 });
        }
    }

    #[test]
    fn what_cannot_be_validated_later_is_left_as_it_is() {
        for statement in [
            "ALTER TABLE public.p\n    ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES public.b(id);\n",
            "ALTER TABLE ONLY public.t\n    ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES public.b(id) NOT VALID;\n",
            "ALTER TABLE ONLY public.t\n    ADD CONSTRAINT c CHECK ((a > 0));\n",
        ] {
            assert_eq!(Later::of(statement), None, "{statement}");
        }
    }
}
