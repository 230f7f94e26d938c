//! Restores entries of the archive into the target, each exactly once.
//!
//! Every transaction inserts the effect keys of its entries; a key that is there already means that the entry is.
//! The archive is the same after a crash, by its fingerprint, so the keys are too.

use crate::archive::{Archive, Entry};
use crate::constraint::Key;
use crate::database_settings;
use crate::fate::{Fate, Pass};
use crate::not_null::NotNullNames;
use crate::passes::Passes;
use crate::raw::sendable;
use crate::script::script;
use libpgdump::ObjectType;
use pghaul_contracts::{EffectKey, Skipped};
use pghaul_step::ownership::effects;
use pghaul_step::plan::{HeldBack, HeldBackKind};
use pghaul_step::postgres::{ReadWrite, Session, Target};
use pghaul_step::{Code, Context, Database, Expressions, Failure, Home, Method, OwnedTransaction, Progress};
use std::collections::{BTreeMap, BTreeSet};

/// How many entries go into one transaction.
const BATCH: usize = 100;

/// What pg_restore sets before it begins, for one transaction.
const SETTINGS: &str = "SET LOCAL check_function_bodies = false; SET LOCAL xmloption = content; \
                        SET LOCAL client_min_messages = warning;";

/// Statements to be sent, and what the journal of the target says afterwards.
#[derive(Debug, Clone, Default)]
pub(crate) struct Batch<'a> {
    entries: Vec<Part<'a>>,
    /// More statements, after those of the entries.
    then: String,
    /// More effect keys.
    keys: Vec<String>,
}

/// An entry, or the first part of one.
#[derive(Debug, Clone)]
struct Part<'a> {
    entry: &'a Entry,
    /// The statements, where they are not those of the archive.
    statements: Option<String>,
    /// The effect key.
    key: String,
}

impl<'a> Batch<'a> {
    pub(crate) fn of(entries: &[&'a Entry]) -> Self {
        let mut batch = Self::default();
        for entry in entries {
            batch.add(entry, None);
        }
        batch
    }

    /// Adds an entry, with other statements than the archive's where they are given.
    pub(crate) fn add(&mut self, entry: &'a Entry, statements: Option<String>) {
        self.entries.push(Part {
            entry,
            statements,
            key: key(entry),
        });
    }

    /// Adds the index that a constraint will adopt.
    pub(crate) fn add_index_of(&mut self, constraint: &'a Entry, statement: String) {
        self.entries.push(Part {
            entry: constraint,
            statements: Some(statement),
            key: index_key(constraint),
        });
    }

    /// Adds statements that come after all entries, each with its semicolon, and the effect key that tells that they
    /// were run.
    pub(crate) fn then(&mut self, statements: &str, key: String) {
        self.then.push_str(statements);
        self.keys.push(key);
    }

    /// Adds an effect key that tells more of an entry.
    pub(crate) fn note(&mut self, key: String) {
        self.keys.push(key);
    }

    /// Whether anything may be computed from rows: indexes, constraints, statistics.
    fn evaluates_expressions(&self) -> bool {
        !self.then.is_empty() || self.entries.iter().any(|part| !part.entry.before_data)
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.keys.is_empty()
    }
}

/// Restores entries of one archive.
pub(crate) struct Restorer<'a> {
    pub(crate) ctx: &'a Context<Database>,
    pub(crate) archive: &'a Archive,
    done: BTreeSet<String>,
    passes: Passes<'a>,
    not_null: NotNullNames,
    held_back: BTreeMap<(HeldBackKind, &'a str, String), &'a HeldBack>,
    /// What depends on a foreign key that is held back, such as a comment on it.
    without: BTreeMap<i32, &'a HeldBack>,
}

impl<'a> Restorer<'a> {
    /// Reads what is restored already.
    pub(crate) async fn new(ctx: &'a Context<Database>, archive: &'a Archive) -> Result<Self, Failure> {
        let target = ctx.target_for_reading().await?;
        let done = effects(&target, EffectKey::SCHEMA).await?;
        let not_null = NotNullNames::of(archive, target.server_version());
        drop(target);
        let held_back = match ctx.method() {
            Method::Replication => ctx.plan().held_back.iter().map(tagged).collect(),
            Method::Dump => BTreeMap::new(),
        };
        Ok(Self {
            ctx,
            archive,
            done,
            passes: Passes::of(archive, ctx.method()),
            not_null,
            held_back,
            without: BTreeMap::new(),
        }
        .withholding())
    }

    /// Finds what depends on what is not created.
    fn withholding(mut self) -> Self {
        let mut without: BTreeMap<i32, &'a HeldBack> = BTreeMap::new();
        let mut missing: BTreeMap<i32, &'a HeldBack> = BTreeMap::new();
        for entry in &self.archive.entries {
            let own = self
                .held_back(entry)
                .filter(|held| held.kind == HeldBackKind::ForeignKey);
            if let Some(held) = own {
                missing.insert(entry.id, held);
            } else if let Some(held) = entry.dependencies.iter().find_map(|id| missing.get(id).copied()) {
                missing.insert(entry.id, held);
                without.insert(entry.id, held);
            }
        }
        self.without = without;
        self
    }

    /// The entries that are not restored since they depend on a foreign key that is held back, with that key.
    pub(crate) fn without(&self) -> impl Iterator<Item = (&'a Entry, &'a HeldBack)> {
        let entries = self.archive.entries.iter();
        entries.filter_map(|entry| Some((entry, *self.without.get(&entry.id)?)))
    }

    /// When an entry is restored; never, where it is not.
    pub(crate) fn pass(&self, entry: &Entry) -> Option<Pass> {
        self.passes.pass(entry)
    }

    /// Whether an index belongs to a key or a replica identity.
    pub(crate) fn is_key(&self, entry: &Entry) -> bool {
        self.passes.is_key(entry)
    }

    /// Whether an entry was restored before this restorer was made.
    pub(crate) fn is_done(&self, entry: &Entry) -> bool {
        self.done.contains(&key(entry))
    }

    /// Whether the index that a constraint will adopt was built before this restorer was made.
    pub(crate) fn has_index_of(&self, constraint: &Entry) -> bool {
        self.done.contains(&index_key(constraint))
    }

    /// The entries of a pass that are not restored yet, in the archive's order.
    pub(crate) fn open(&self, pass: Pass) -> impl Iterator<Item = &'a Entry> {
        let entries = self.archive.entries.iter();
        entries.filter(move |entry| self.pass(entry) == Some(pass) && !self.is_done(entry))
    }

    /// Restores entries one batch after the other. Returns what was skipped.
    pub(crate) async fn restore(
        &self,
        what: &'static str,
        entries: &[&'a Entry],
    ) -> Result<Vec<Skipped>, Failure> {
        let mut skipped = Vec::new();
        if entries.is_empty() {
            return Ok(skipped);
        }
        let mut target = self.ctx.target().await?;
        let mut restored = 0;
        for chunk in entries.chunk_by(|a, b| self.go_together(a, b)) {
            for batch in chunk.chunks(BATCH) {
                self.ctx.check_cancelled()?;
                skipped.extend(self.restore_chunk(&mut target, batch).await?);
                restored += batch.len();
                self.ctx.progress(Progress::Count {
                    what,
                    done: restored as u64,
                    total: entries.len() as u64,
                });
            }
        }
        Ok(skipped)
    }

    /// An entry that may be skipped goes alone, and so does an extension: its tables are created under the settings that
    /// a transaction begins with.
    fn go_together(&self, a: &Entry, b: &Entry) -> bool {
        [a, b].iter().all(|entry| {
            entry.kind != ObjectType::Extension && matches!(self.passes.fate(entry), Some(Fate::Must(_)))
        })
    }

    async fn restore_chunk(
        &self,
        target: &mut Session<Target, ReadWrite>,
        entries: &[&'a Entry],
    ) -> Result<Option<Skipped>, Failure> {
        let Err(failure) = self.send(target, &Batch::of(entries)).await else {
            return Ok(None);
        };
        let Some(first) = entries.first() else {
            return Err(failure);
        };
        let may_be_skipped = matches!(self.passes.fate(first), Some(Fate::MayLackPrivilege(_)));
        if !may_be_skipped || failure.code != Code::PermissionDenied {
            return Err(failure);
        }
        let mut note = Batch::default();
        note.note(key(first));
        self.send(target, &note).await?;
        Ok(Some(Skipped {
            object: first.label(),
            why: failure.causes.last().unwrap_or(&failure.message).clone(),
        }))
    }

    /// Sends a batch in one transaction; first as one message, and where that fails one by one, to learn which
    /// entry it is.
    pub(crate) async fn send(
        &self,
        target: &mut Session<Target, ReadWrite>,
        batch: &Batch<'a>,
    ) -> Result<(), Failure> {
        if batch.is_empty() {
            return Ok(());
        }
        let mut scripts = Vec::with_capacity(batch.len());
        for part in &batch.entries {
            let script = self.script(part.entry, part.statements.as_deref())?;
            let script = sendable(&script, self.archive.encoding()).into_owned();
            scripts.push((part.entry, script));
        }
        let mut keys: Vec<String> = batch.entries.iter().map(|part| part.key.clone()).collect();
        keys.extend(batch.keys.iter().cloned());
        let mut together: String = scripts.iter().map(|(_, script)| format!("{script}\n")).collect();
        together.push_str(&batch.then);
        let transaction = self.ctx.begin(target).await?;
        self.set_up(&transaction, batch).await?;
        let Err(error) = transaction.batch("restore the schema", &together).await else {
            transaction.effects(&keys).await?;
            return transaction.commit("restore entries of the schema").await;
        };
        transaction.rollback().await?;
        if scripts.is_empty() {
            return Err(error.into());
        }
        let transaction = self.ctx.begin(target).await?;
        self.set_up(&transaction, batch).await?;
        for (entry, script) in &scripts {
            transaction
                .batch("restore the schema", script)
                .await
                .map_err(|e| failed(entry, e.into()))?;
        }
        transaction.batch("restore the schema", &batch.then).await?;
        transaction.effects(&keys).await?;
        transaction.commit("restore entries of the schema").await
    }

    /// The settings of pg_restore; where expressions of users run, those that these have at home too.
    async fn set_up(&self, transaction: &OwnedTransaction<'_>, batch: &Batch<'a>) -> Result<(), Failure> {
        transaction.batch("restore the schema", SETTINGS).await?;
        if batch.evaluates_expressions() {
            let home = Home::of(self.ctx).await?;
            home.enter(transaction, Expressions::OfBuilds).await?;
        }
        Ok(())
    }

    /// What is sent for an entry: nothing for a foreign key that is held back and what depends on it; a key whose index
    /// was built before adopts it.
    fn script(&self, entry: &Entry, statements: Option<&str>) -> Result<String, Failure> {
        let adopted = match statements {
            None if self.has_index_of(entry) => Key::of(&entry.statements).map(|key| key.adopt_index()),
            _ => None,
        };
        let settings_are_set = entry.kind == ObjectType::DatabaseProperties
            && self.done.contains(&EffectKey::DatabaseSettings.to_string());
        let others = settings_are_set.then(|| database_settings::without(&entry.statements));
        let changed = statements.or(adopted.as_deref()).or(others.as_deref());
        let statements = changed.unwrap_or(&entry.statements);
        match self.held_back(entry) {
            Some(held) if held.kind == HeldBackKind::ForeignKey => Ok(String::new()),
            _ if self.without.contains_key(&entry.id) => Ok(String::new()),
            held => {
                let (before, after) = self.not_null.around(entry)?;
                Ok(before + &script(entry, statements, held)? + &after)
            }
        }
    }

    /// What holds an entry back while the database is replicated.
    pub(crate) fn held_back(&self, entry: &Entry) -> Option<&'a HeldBack> {
        let kind = match entry.kind {
            ObjectType::FkConstraint => HeldBackKind::ForeignKey,
            ObjectType::Trigger => HeldBackKind::Trigger,
            ObjectType::EventTrigger => HeldBackKind::EventTrigger,
            _ => return None,
        };
        let found = self
            .held_back
            .get(&(kind, entry.namespace.as_str(), entry.tag.clone()));
        found.copied()
    }
}

/// A held-back object by the tag of its entry: pg_dump tags objects of a table with the table's name, a space, and
/// their own.
fn tagged(held: &HeldBack) -> ((HeldBackKind, &str, String), &HeldBack) {
    let (schema, tag) = match &held.table {
        Some(table) => (table.schema.as_str(), format!("{} {}", table.name, held.name)),
        None => ("", held.name.clone()),
    };
    ((held.kind, schema, tag), held)
}

/// The effect key of an entry.
fn key(entry: &Entry) -> String {
    EffectKey::Entry(entry.id).to_string()
}

/// The effect key of the index that a constraint will adopt.
fn index_key(constraint: &Entry) -> String {
    EffectKey::IndexOfEntry(constraint.id).to_string()
}

/// What the server says when a statement names a table that is not there.
const UNDEFINED_TABLE: &str = "42P01";

/// Whether it is a primary key, a unique or exclusion constraint, or a foreign key.
fn is_key(entry: &Entry) -> bool {
    matches!(entry.kind, ObjectType::Constraint | ObjectType::FkConstraint)
}

fn failed(entry: &Entry, failure: Failure) -> Failure {
    match failure.code {
        // Troubles of the connection or of locks keep their own codes: they are tried again.
        Code::ConnectionLost | Code::ServerNotReady | Code::LockTimeout => failure,
        // A key names tables and nothing else, and they were there: somebody has dropped one, which the engine explains.
        Code::ServerError if is_key(entry) && failure.sqlstate.as_deref() == Some(UNDEFINED_TABLE) => {
            failure.with_cause(format!("{} could not be restored", entry.label()))
        }
        code => {
            // What the server can tell is not the schema's fault: a privilege, a full disk.
            let code = if code == Code::ServerError {
                Code::SchemaFailed
            } else {
                code
            };
            let message = format!("{} could not be restored", entry.label());
            let cause = failure.message.clone();
            // The general one says less than what follows.
            let own = failure.hint.clone().filter(|_| failure.code != Code::ServerError);
            let hint = own.unwrap_or_else(|| {
                "mend the cause on the target, or change the object on the source and begin a new migration"
                    .to_owned()
            });
            Failure {
                code,
                message,
                ..failure
            }
            .with_cause(cause)
            .with_hint(hint)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_that_the_server_tells_keeps_its_code() {
        let entry = Entry {
            id: 1,
            kind: ObjectType::Index,
            namespace: "public".to_owned(),
            tag: "by_day".to_owned(),
            owner: String::new(),
            statements: String::new(),
            drop_statement: String::new(),
            tablespace: String::new(),
            access_method: String::new(),
            partitioned: false,
            before_data: false,
            dependencies: Vec::new(),
        };
        for (told, expected) in [
            (Code::ServerError, Code::SchemaFailed),
            (Code::OutOfResources, Code::OutOfResources),
            (Code::PermissionDenied, Code::PermissionDenied),
        ] {
            let failure = failed(&entry, Failure::new(told, "No space left on device"));
            assert_eq!(failure.code, expected);
            assert_eq!(failure.message, "INDEX public.by_day could not be restored");
            assert_eq!(failure.causes, ["No space left on device"]);
        }
    }
}
