//! Foreign keys: added without a look at the rows, then validated side by side.
//!
//! Adding one locks two tables against writes; a look at all rows would hold these locks for long, and two of them
//! at a time could lock each other out. So large tables get theirs NOT VALID first. VALIDATE CONSTRAINT locks
//! almost nothing, and the tables are read side by side.

use crate::archive::Entry;
use crate::restore::{Batch, Restorer};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use pghaul_step::ownership::effects;
use pghaul_step::postgres::{ReadWrite, Session, Target};
use pghaul_step::{Failure, Progress};
use std::sync::atomic::{AtomicU64, Ordering};

/// How many foreign keys go into one transaction.
const BATCH: usize = 50;

/// The prefix of the effect keys of foreign keys that are not validated yet. What follows is the number of the entry.
const UNVALIDATED: &str = "schema/unvalidated/";

/// Restores foreign keys: all of them valid in the end, but for those that are not on the source.
pub(crate) async fn restore<'a>(restorer: &Restorer<'a>, entries: &[&'a Entry]) -> Result<(), Failure> {
    let ctx = restorer.ctx;
    let mut target = ctx.target().await?;
    for chunk in entries.chunks(BATCH) {
        ctx.check_cancelled()?;
        let mut batch = Batch::default();
        for entry in chunk {
            let later = match restorer.held_back(entry) {
                Some(_) => None,
                None => Parsed::of(&entry.statements),
            };
            batch.add(entry, later.as_ref().map(Parsed::not_valid));
            if later.is_some() {
                batch.note(format!("{UNVALIDATED}{}", entry.id));
            }
        }
        restorer.send(&mut target, &batch).await?;
    }
    drop(target);
    validate(restorer).await
}

/// Validates every foreign key that is noted as not validated.
async fn validate(restorer: &Restorer<'_>) -> Result<(), Failure> {
    let ctx = restorer.ctx;
    let keys = effects(&ctx.target().await?, UNVALIDATED).await?;
    let open: Vec<&Entry> = restorer
        .archive
        .entries
        .iter()
        .filter(|entry| keys.contains(&format!("{UNVALIDATED}{}", entry.id)))
        .collect();
    if open.is_empty() {
        return Ok(());
    }
    let workers = ctx.jobs().min(open.len());
    let next = AtomicU64::new(0);
    let mut crew = Vec::new();
    for _ in 0..workers {
        crew.push(validator(restorer, &open, &next));
    }
    stream::iter(crew).buffer_unordered(workers).try_collect().await
}

async fn validator(restorer: &Restorer<'_>, open: &[&Entry], next: &AtomicU64) -> Result<(), Failure> {
    let ctx = restorer.ctx;
    let mut target: Session<Target, ReadWrite> = ctx.target().await?;
    loop {
        let place = next.fetch_add(1, Ordering::Relaxed);
        let Some(entry) = usize::try_from(place).ok().and_then(|place| open.get(place)) else {
            return Ok(());
        };
        ctx.check_cancelled()?;
        let _worker = ctx.worker().await?;
        let Some(parsed) = Parsed::of(&entry.statements) else {
            return Err(Failure::bug(
                "a foreign key that can't be validated was noted as if it could",
            ));
        };
        let transaction = ctx.begin(&mut target).await?;
        transaction
            .batch("validate a foreign key", &parsed.validate())
            .await?;
        transaction
            .forget_each(&[format!("{UNVALIDATED}{}", entry.id)])
            .await?;
        transaction.commit("validate a foreign key").await?;
        ctx.progress(Progress::Count {
            what: "foreign keys",
            done: place + 1,
            total: open.len() as u64,
        });
    }
}

/// The statement with which pg_dump makes a foreign key, in its parts.
#[derive(Debug, PartialEq, Eq)]
struct Parsed<'s> {
    table: &'s str,
    name: &'s str,
    definition: &'s str,
}

impl<'s> Parsed<'s> {
    /// Reads `ALTER TABLE ONLY s.t\n    ADD CONSTRAINT c FOREIGN KEY …;`. Nothing for what looks otherwise: that of
    /// a partitioned table, which can't be NOT VALID, and one that is not valid on the source either.
    fn of(statement: &'s str) -> Option<Self> {
        let statement = statement.trim().strip_suffix(';')?;
        let (table, rest) = statement
            .strip_prefix("ALTER TABLE ONLY ")?
            .split_once("\n    ADD CONSTRAINT ")?;
        let end = end_of_name(rest)?;
        let (name, definition) = rest.split_at_checked(end)?;
        let definition = definition.trim_start();
        let plain = definition.starts_with("FOREIGN KEY")
            && !definition.ends_with("NOT VALID")
            && !definition.contains(';')
            && !definition.ends_with("NOT ENFORCED");
        plain.then_some(Self {
            table,
            name,
            definition,
        })
    }

    fn not_valid(&self) -> String {
        let Self {
            table,
            name,
            definition,
        } = self;
        format!("ALTER TABLE ONLY {table}\n    ADD CONSTRAINT {name} {definition} NOT VALID;\n")
    }

    fn validate(&self) -> String {
        format!(
            "ALTER TABLE ONLY {} VALIDATE CONSTRAINT {}",
            self.table, self.name
        )
    }
}

/// Where the identifier at the begin of a text ends.
fn end_of_name(text: &str) -> Option<usize> {
    let Some(quoted) = text.strip_prefix('"') else {
        return text.find(' ');
    };
    let mut from = 0;
    loop {
        let quote = from + quoted.get(from..)?.find('"')?;
        match quoted.as_bytes().get(quote + 1) {
            Some(b'"') => from = quote + 2,
            _ => return Some(quote + 2),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pg_dump_writes_is_taken_apart() {
        let statement = "ALTER TABLE ONLY public.\"O x\"\n    ADD CONSTRAINT \"a \"\" FOREIGN KEY\" FOREIGN KEY (c) REFERENCES public.c(id) ON DELETE CASCADE;\n";
        let parsed = Parsed::of(statement).unwrap();
        assert_eq!(
            parsed.not_valid(),
            "ALTER TABLE ONLY public.\"O x\"\n    ADD CONSTRAINT \"a \"\" FOREIGN KEY\" FOREIGN KEY (c) REFERENCES public.c(id) ON DELETE CASCADE NOT VALID;\n"
        );
        assert_eq!(
            parsed.validate(),
            "ALTER TABLE ONLY public.\"O x\" VALIDATE CONSTRAINT \"a \"\" FOREIGN KEY\""
        );
    }

    #[test]
    fn what_cannot_be_validated_later_is_left_as_it_is() {
        for statement in [
            "ALTER TABLE public.p\n    ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES public.b(id);\n",
            "ALTER TABLE ONLY public.t\n    ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES public.b(id) NOT VALID;\n",
            "ALTER TABLE ONLY public.t\n    ADD CONSTRAINT c CHECK ((a > 0));\n",
        ] {
            assert_eq!(Parsed::of(statement), None, "{statement}");
        }
    }
}
