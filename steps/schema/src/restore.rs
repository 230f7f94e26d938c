//! Restores entries of the archive into the target, each exactly once.
//!
//! Every transaction inserts the effect keys of its entries; a key that is there already means that the entry is.
//! The archive is the same after a crash, by its fingerprint, so the keys are too.

use crate::archive::{Archive, Entry};
use crate::batch::{Batch, Part, Then};
use crate::constraint::Key;
use crate::database_settings;
use crate::dumped::Read;
use crate::effect_key::{index_key, key};
use crate::fate::Pass;
use crate::not_null::NotNullNames;
use crate::operators;
use crate::owner::Owners;
use crate::passes::Passes;
use crate::pieces::{RESTORE, attempt_entry, attempt_statements};
use crate::raw::sendable;
use crate::refusals::{Refusals, is_indispensable, is_refusal, needed_by, refused};
use crate::script::script;
use crate::spelling::Spelling;
use crate::unsafe_checks;
use libpgdump::ObjectType;
use pghaul_contracts::{EffectKey, UnsafeCheck};
use pghaul_step::ownership::effects;
use pghaul_step::plan::{HeldBack, HeldBackKind};
use pghaul_step::postgres::{ReadWrite, Session, Target};
use pghaul_step::{
    Code, Context, Database, Expressions, Failure, Home, Incomplete, Method, OwnedTransaction, Progress,
    failures,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How many entries go into one transaction.
const BATCH: usize = 100;

const COMMIT: &str = "restore entries of the schema";

/// What pg_restore sets before it begins, for one transaction.
const SETTINGS: &str = "SET LOCAL check_function_bodies = false; SET LOCAL xmloption = content; \
                        SET LOCAL client_min_messages = warning;";

/// Restores entries of one archive.
pub(crate) struct Restorer<'a> {
    pub(crate) ctx: &'a Context<Database>,
    pub(crate) archive: &'a Archive,
    pub(crate) checks: &'a [UnsafeCheck],
    done: BTreeSet<String>,
    passes: Passes<'a>,
    not_null: NotNullNames,
    spelling: Spelling,
    owners: Owners,
    /// Whether no rights are granted.
    no_privileges: bool,
    pub(crate) refusals: Arc<Refusals>,
    held_back: BTreeMap<(HeldBackKind, &'a str, String), &'a HeldBack>,
    /// What depends on a foreign key that is held back, such as a comment on it.
    without: BTreeMap<i32, &'a HeldBack>,
}

impl<'a> Restorer<'a> {
    /// Reads what is restored already.
    pub(crate) async fn new(ctx: &'a Context<Database>, dumped: &'a Read) -> Result<Self, Failure> {
        let archive = &dumped.archive;
        let target = ctx.target_for_reading().await?;
        let done = effects(&target, EffectKey::SCHEMA).await?;
        let not_null = NotNullNames::of(archive, target.server_version());
        let spelling = Spelling::of(target.server_version());
        let owners = Owners::of(ctx, &target).await?;
        drop(target);
        let held_back = match ctx.method() {
            Method::Replication => ctx.plan().held_back.iter().map(tagged).collect(),
            Method::Dump => BTreeMap::new(),
        };
        Ok(Self {
            ctx,
            archive,
            checks: &dumped.checks,
            done,
            passes: Passes::of(archive, ctx.method()),
            not_null,
            spelling,
            owners,
            no_privileges: ctx.mapping().no_privileges,
            refusals: Refusals::of(ctx),
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

    /// The objects that do not get their owner.
    pub(crate) fn without_owner(&self) -> Result<Vec<Incomplete>, Failure> {
        self.owners.retained(self.archive, |entry| {
            self.pass(entry).is_some() && !self.refusals.has(entry)
        })
    }

    /// When an entry is restored; never, where it is not.
    pub(crate) fn pass(&self, entry: &Entry) -> Option<Pass> {
        if self.no_privileges && matches!(entry.kind, ObjectType::Acl | ObjectType::DefaultAcl) {
            return None;
        }
        let pass = self.passes.pass(entry)?;
        // A comment on a check that was taken out of its table comes when that is added.
        let waits = unsafe_checks::is_comment_on_one(self.checks, entry);
        Some(if waits { Pass::WithChecks } else { pass })
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

    /// What is built from rows, and needs something that comes after them, such as a materialized view whose query needs a
    /// primary key, or needs one of these in turn.
    pub(crate) fn late(&self) -> BTreeSet<i32> {
        let comes_after = |entry: &Entry| {
            let after = matches!(self.pass(entry), Some(Pass::Keys | Pass::AfterData));
            after && !is_built(entry) && entry.kind != ObjectType::FkConstraint && !self.is_done(entry)
        };
        let built = self.archive.entries.iter().filter(|entry| is_built(entry));
        let late = self.archive.with_dependents(comes_after);
        built
            .map(|entry| entry.id)
            .filter(|id| late.contains(id))
            .collect()
    }

    /// Restores entries one batch after the other. What the target refuses is noted.
    pub(crate) async fn restore(&self, what: &'static str, entries: &[&'a Entry]) -> Result<(), Failure> {
        if entries.is_empty() {
            return Ok(());
        }
        let mut target = self.ctx.target().await?;
        let mut restored = 0;
        for chunk in entries.chunk_by(|a, b| go_together(a, b)) {
            for batch in chunk.chunks(BATCH) {
                self.ctx.check_cancelled()?;
                self.send(&mut target, &Batch::of(batch)).await?;
                restored += batch.len();
                self.ctx.progress(Progress::Count {
                    what,
                    done: restored as u64,
                    total: entries.len() as u64,
                });
            }
        }
        Ok(())
    }

    /// Restores the comments on the unsafe checks that are there.
    pub(crate) async fn restore_comments_on_checks(&self) -> Result<(), Failure> {
        let missing = unsafe_checks::missing(self.ctx, self.checks).await?;
        let comments: Vec<&Entry> = self
            .open(Pass::WithChecks)
            .filter(|entry| !unsafe_checks::is_comment_on_one(&missing, entry))
            .collect();
        self.restore("comments", &comments).await
    }

    /// Sends a batch in one transaction; first as one message, and where that fails piece by piece: what the target
    /// refuses is left out and noted.
    pub(crate) async fn send(
        &self,
        target: &mut Session<Target, ReadWrite>,
        batch: &Batch<'a>,
    ) -> Result<(), Failure> {
        let mut parts: Vec<(&Part<'a>, String)> = Vec::with_capacity(batch.len());
        for part in &batch.parts {
            if !self.refusals.keep_out(part.entry) {
                let script = self.script(part.entry, part.statements.as_deref())?;
                let script = sendable(&script, self.archive.encoding()).into_owned();
                parts.push((part, script));
            }
        }
        let then: Vec<&Then> = batch
            .then
            .iter()
            .filter(|then| !self.refusals.has_effect(&then.key))
            .collect();
        match parts.len() + then.len() {
            0 => return Ok(()),
            1 => return self.send_each(target, &parts, &then).await,
            _ if parts.iter().any(|(part, _)| part.entry.may_hold_a_secret()) => {
                return self.send_each(target, &parts, &then).await;
            }
            _ => {}
        }
        let mut together: String = parts.iter().map(|(_, script)| format!("{script}\n")).collect();
        together.extend(then.iter().map(|then| then.statements.as_str()));
        let transaction = self.ctx.begin(target).await?;
        self.set_up(&transaction, batch.evaluates_expressions()).await?;
        if transaction.batch_of_grants(RESTORE, &together).await.is_err() {
            transaction.rollback().await?;
            return self.send_each(target, &parts, &then).await;
        }
        let of_parts = parts.iter().flat_map(|(part, _)| part.keys.iter().cloned());
        let keys: Vec<String> = of_parts.chain(then.iter().map(|then| then.key.clone())).collect();
        transaction.effects(&keys).await?;
        transaction.commit(COMMIT).await
    }

    async fn send_each(
        &self,
        target: &mut Session<Target, ReadWrite>,
        parts: &[(&Part<'a>, String)],
        then: &[&Then],
    ) -> Result<(), Failure> {
        let transaction = self.ctx.begin(target).await?;
        let evaluates = !then.is_empty() || parts.iter().any(|(part, _)| !part.entry.before_data);
        self.set_up(&transaction, evaluates).await?;
        let mut keys: Vec<String> = Vec::new();
        for (part, script) in parts {
            let entry = part.entry;
            if self.refusals.keep_out(entry) {
                continue;
            }
            match attempt_entry(self.ctx, &transaction, entry, script).await? {
                None => keys.extend(part.keys.iter().cloned()),
                Some(failure) if self.may_be_missing(entry, &failure) => {
                    self.refusals.refuse(entry, &failure)
                }
                Some(failure) => return Err(failed(entry, failure)),
            }
        }
        for then in then {
            match attempt_statements(self.ctx, &transaction, &then.statements).await? {
                None => keys.push(then.key.clone()),
                Some(failure) if is_refusal(&failure) => {
                    let incomplete = refused(then.object.clone(), &failure);
                    self.refusals.refuse_effect(&then.key, incomplete);
                }
                Some(failure) => return Err(failure),
            }
        }
        transaction.effects(&keys).await?;
        transaction.commit(COMMIT).await
    }

    /// Whether the target may do without an entry that it refuses.
    fn may_be_missing(&self, entry: &Entry, failure: &Failure) -> bool {
        // A key names tables and nothing else, and they were there: somebody has dropped one, which the engine explains.
        let table_is_gone = is_key(entry) && failure.sqlstate.as_deref() == Some(UNDEFINED_TABLE);
        is_refusal(failure)
            && !table_is_gone
            && !is_indispensable(entry)
            && needed_by(self.archive, entry).is_none()
    }

    /// The settings of pg_restore; where expressions of users run, those that these have at home too.
    async fn set_up(&self, transaction: &OwnedTransaction<'_>, evaluates: bool) -> Result<(), Failure> {
        transaction.batch(RESTORE, SETTINGS).await?;
        if evaluates {
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
                let without = unsafe_checks::dropping(self.checks, entry)?;
                let script = before + &script(entry, statements, held, &self.owners)? + &without + &after;
                let script = operators::found(self.archive, entry, script)?;
                Ok(self.spelling.spelt(entry, script))
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

/// An entry that may be missing or have to wait goes with others, but an extension goes alone: its tables are created under
/// the settings that a transaction begins with. What may hold a secret goes without what does not.
fn go_together(a: &Entry, b: &Entry) -> bool {
    [a, b].iter().all(|entry| entry.kind != ObjectType::Extension)
        && a.may_hold_a_secret() == b.may_hold_a_secret()
}

/// What the server says when a statement names a table that is not there.
const UNDEFINED_TABLE: &str = "42P01";

/// Whether it is built from the rows of a table, or put together of what is.
pub(crate) fn is_built(entry: &Entry) -> bool {
    matches!(
        entry.kind,
        ObjectType::Constraint | ObjectType::Index | ObjectType::IndexAttach | ObjectType::Statistics
    )
}

/// Whether it is a primary key, a unique or exclusion constraint, or a foreign key.
fn is_key(entry: &Entry) -> bool {
    matches!(entry.kind, ObjectType::Constraint | ObjectType::FkConstraint)
}

fn failed(entry: &Entry, failure: Failure) -> Failure {
    match failure.code {
        // Troubles of the connection or of locks keep their own codes: they are tried again.
        Code::ConnectionLost | Code::ServerNotReady | Code::LockTimeout => failure,
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
                format!(
                    "fix the cause on the target, and run again; or change the object on the source, {}",
                    failures::BEGIN_ANEW
                )
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
            namespace: "public".to_owned(),
            ..Entry::bare(ObjectType::Index, "by_day")
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
