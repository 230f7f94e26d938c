//! Restores entries of the archive into the target, each exactly once.
//!
//! Every transaction inserts the key of its effect; a key that is there already means that the entry is. The
//! archive is the same after a crash, by its fingerprint, so the keys are too.

use crate::archive::{Archive, Entry};
use crate::fate::{Fate, Pass, fate};
use crate::script::script;
use libpgdump::ObjectType;
use pghaul_step::ownership::effects;
use pghaul_step::plan::{HeldBack, HeldBackKind};
use pghaul_step::postgres::{ReadWrite, Session, Target};
use pghaul_step::{Code, Context, Database, Failure, Method, Progress};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// How many entries before the data go into one transaction.
const BATCH: usize = 100;

/// The prefix of all effect keys of the schema.
const PREFIX: &str = "schema/";

/// What pg_restore sets before it begins, for one transaction.
const SETTINGS: &str = "SET LOCAL check_function_bodies = false; SET LOCAL xmloption = content; \
                        SET LOCAL client_min_messages = warning;";

/// An entry that was not restored although the source has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// The entry.
    pub object: String,
    /// Why.
    pub why: String,
}

/// Restores the entries of some passes.
pub(crate) struct Restorer<'a> {
    pub(crate) ctx: &'a Context<Database>,
    pub(crate) archive: &'a Archive,
    pub(crate) what: &'static str,
}

impl Restorer<'_> {
    /// Restores all entries of the passes, in the order of the passes. Returns what was skipped.
    pub(crate) async fn restore(&self, passes: &[Pass]) -> Result<Vec<Skipped>, Failure> {
        let mut target = self.ctx.target().await?;
        let done = effects(&target, PREFIX).await?;
        let mut skipped = Vec::new();
        let fates = self.fates();
        let total = fates
            .iter()
            .filter(|(_, fate)| pass(fate).is_some_and(|p| passes.contains(&p)))
            .count();
        let mut restored = 0;
        for wanted in passes {
            let entries: Vec<&(&Entry, Fate)> = fates
                .iter()
                .filter(|(_, fate)| pass(fate) == Some(*wanted))
                .collect();
            for batch in batches(&entries, *wanted) {
                self.ctx.check_cancelled()?;
                skipped.extend(self.restore_batch(&mut target, batch, &done).await?);
                restored += batch.len();
                self.ctx.progress(Progress::Count {
                    what: self.what,
                    done: restored as u64,
                    total: total as u64,
                });
            }
        }
        Ok(skipped)
    }

    fn fates(&self) -> Vec<(&Entry, Fate)> {
        let keys = key_indexes(self.archive);
        self.archive
            .entries
            .iter()
            .map(|entry| {
                let is_key = keys.contains(&(entry.namespace.as_str(), entry.tag.as_str()));
                (entry, fate(entry, self.ctx.method(), is_key))
            })
            .collect()
    }

    async fn restore_batch(
        &self,
        target: &mut Session<Target, ReadWrite>,
        batch: &[&(&Entry, Fate)],
        done: &BTreeSet<String>,
    ) -> Result<Option<Skipped>, Failure> {
        let (Some((first, fate)), Some((last, _))) = (batch.first().copied(), batch.last().copied()) else {
            return Ok(None);
        };
        let key = format!("{PREFIX}{}-{}", first.id, last.id);
        if done.contains(&key) {
            return Ok(None);
        }
        let mut scripts = Vec::with_capacity(batch.len());
        for (entry, _) in batch {
            match self.held_back(entry) {
                Some(held) if held.kind == HeldBackKind::ForeignKey => {}
                held => scripts.push((*entry, script(entry, held)?)),
            }
        }
        let Err(failure) = self.send(target, &scripts, &key).await else {
            return Ok(None);
        };
        match fate {
            Fate::MayLackPrivilege(_) if failure.code == Code::PermissionDenied => {
                self.send(target, &[], &key).await?;
                let why = failure.causes.last().unwrap_or(&failure.message).clone();
                Ok(Some(Skipped {
                    object: first.label(),
                    why,
                }))
            }
            _ => Err(failure),
        }
    }

    /// Sends the scripts and the key in one transaction; first as one message, and where that fails one by one,
    /// to learn which entry it is.
    async fn send(
        &self,
        target: &mut Session<Target, ReadWrite>,
        scripts: &[(&Entry, String)],
        key: &str,
    ) -> Result<(), Failure> {
        let together: String = scripts.iter().map(|(_, script)| format!("{script}\n")).collect();
        let transaction = self.ctx.begin(target).await?;
        transaction.batch("restore the schema", SETTINGS).await?;
        if transaction.batch("restore the schema", &together).await.is_ok() {
            transaction.effect(key).await?;
            return transaction.commit("restore entries of the schema").await;
        }
        transaction.rollback().await?;
        let transaction = self.ctx.begin(target).await?;
        transaction.batch("restore the schema", SETTINGS).await?;
        for (entry, script) in scripts {
            transaction
                .batch("restore the schema", script)
                .await
                .map_err(|e| failed(entry, e.into()))?;
        }
        transaction.effect(key).await?;
        transaction.commit("restore entries of the schema").await
    }

    /// What holds an entry back while the database is replicated.
    fn held_back(&self, entry: &Entry) -> Option<&HeldBack> {
        if self.ctx.method() != Method::Replication {
            return None;
        }
        self.ctx.plan().held_back.iter().find(|held| match held.kind {
            HeldBackKind::ForeignKey => {
                entry.kind == ObjectType::FkConstraint && entry.namespace == held.schema && names(entry, held)
            }
            HeldBackKind::Trigger => {
                entry.kind == ObjectType::Trigger && entry.namespace == held.schema && names(entry, held)
            }
            HeldBackKind::EventTrigger => entry.kind == ObjectType::EventTrigger && entry.tag == held.name,
        })
    }
}

/// pg_dump tags objects of a table with the table's name, a space, and their own.
fn names(entry: &Entry, held: &HeldBack) -> bool {
    entry
        .tag
        .strip_prefix(held.table.as_str())
        .and_then(|rest| rest.strip_prefix(' '))
        == Some(held.name.as_str())
}

fn pass(fate: &Fate) -> Option<Pass> {
    match fate {
        Fate::Must(pass) | Fate::MayLackPrivilege(pass) => Some(*pass),
        Fate::Skip(_) => None,
    }
}

/// Entries before the data go together; later ones, which take long or may be skipped, each alone.
fn batches<'a, 'e>(
    entries: &'a [&'e (&'e Entry, Fate)],
    pass: Pass,
) -> std::slice::Chunks<'a, &'e (&'e Entry, Fate)> {
    entries.chunks(if pass == Pass::BeforeData { BATCH } else { 1 })
}

/// Schema and name of the indexes that are keys or replica identities.
fn key_indexes(archive: &Archive) -> BTreeSet<(&str, &str)> {
    let mut keys = BTreeSet::new();
    for entry in &archive.entries {
        let namespace = entry.namespace.as_str();
        match &entry.kind {
            ObjectType::Index if entry.statements.contains(" REPLICA IDENTITY USING INDEX ") => {
                keys.insert((namespace, entry.tag.as_str()));
            }
            // The tag is `table constraint`; either may contain spaces, so every split is a candidate.
            ObjectType::Constraint => {
                keys.extend(
                    entry
                        .tag
                        .match_indices(' ')
                        .filter_map(|(space, _)| Some((namespace, entry.tag.get(space + 1..)?))),
                );
            }
            _ => {}
        }
    }
    keys
}

fn failed(entry: &Entry, failure: Failure) -> Failure {
    match failure.code {
        // Troubles of the connection or of locks keep their own codes: they are tried again.
        Code::ConnectionLost | Code::ServerNotReady | Code::LockTimeout => failure,
        code => {
            let code = if code == Code::PermissionDenied {
                code
            } else {
                Code::SchemaFailed
            };
            let message = format!("{} could not be restored", entry.label());
            let cause = failure.message.clone();
            let hint = failure.hint.clone().unwrap_or_else(|| {
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
