//! Sets sequences of the target.

use crate::decision::{Decision, OnTarget, decide};
use crate::notes::Notes;
use crate::position::{Place, Position, positions};
use crate::source::Sequence;
use crate::{found, missing, next, object, places};
use pghaul_contracts::SequencesOutput;
use pghaul_step::postgres::{PgError, ReadOnly, ReadWrite, Session, Source, Target};
use pghaul_step::{Context, Database, Failure, Incomplete};
use std::collections::BTreeSet;

/// How often those are read again that move on the target between the look and the setting.
const ROUNDS: u32 = 5;

/// What all chunks share.
pub(crate) struct Setter<'c> {
    pub(crate) ctx: &'c Context<Database>,
    pub(crate) target: Session<Target, ReadWrite>,
    pub(crate) notes: Notes,
    pub(crate) output: SequencesOutput,
}

/// A sequence that the target can be given.
struct Wanted<'s> {
    sequence: &'s Sequence,
    found: OnTarget,
    position: Position,
}

impl Wanted<'_> {
    fn name(&self) -> String {
        self.sequence.qualified.to_string()
    }
}

/// A sequence that is set.
struct Setting<'s> {
    wanted: Wanted<'s>,
    /// Where it was read.
    seen: Position,
    /// Whether somebody else has moved it.
    moved: bool,
}

impl Setter<'_> {
    /// Sets these sequences, as far as that is possible.
    pub(crate) async fn set(
        &mut self,
        source: &Session<Source, ReadOnly>,
        sequences: &[Sequence],
    ) -> Result<(), Failure> {
        let mut rest = self.wanted(source, sequences).await?;
        for _ in 0..ROUNDS {
            let settings = self.decided(rest).await?;
            rest = self.set_all(settings).await?;
            if rest.is_empty() {
                return Ok(());
            }
        }
        for wanted in &rest {
            self.list(wanted.sequence, "it moves on the target: run again".to_owned());
        }
        Ok(())
    }

    fn list(&mut self, sequence: &Sequence, why: String) {
        self.output.incomplete.push(Incomplete {
            object: object(sequence),
            why,
            ..Incomplete::default()
        });
    }

    /// Says that somebody else has moved it.
    fn tell(&mut self, sequence: &Sequence, why: String) {
        self.list(sequence, why);
        if let Some(item) = self.output.incomplete.last_mut() {
            item.kept = true;
        }
    }

    /// What can be set. The others are listed.
    async fn wanted<'s>(
        &mut self,
        source: &Session<Source, ReadOnly>,
        sequences: &'s [Sequence],
    ) -> Result<Vec<Wanted<'s>>, Failure> {
        let positions = positions(source, &places(sequences)).await?;
        let found = found(&self.target, sequences).await?;
        let mut wanted = Vec::with_capacity(sequences.len());
        for (sequence, found) in sequences.iter().zip(found) {
            let position = positions.get(&sequence.oid).cloned();
            let position = position.unwrap_or_else(|| Err("it is gone".to_owned()));
            match (position, found) {
                (_, None) => self.output.incomplete.push(missing(sequence)),
                (Err(why), Some(_)) => {
                    self.list(sequence, format!("its value on the source can't be read: {why}"));
                }
                (Ok(position), Some(found)) if !(found.minimum..=found.maximum).contains(&position.value) => {
                    self.list(sequence, does_not_fit(sequence, position));
                }
                (Ok(position), Some(found)) => {
                    let values = &mut self.output.values;
                    values.insert(sequence.qualified.to_string(), next(&position));
                    wanted.push(Wanted {
                        sequence,
                        found,
                        position,
                    });
                }
            }
        }
        Ok(wanted)
    }

    /// Those that are to be set, given where they are on the target now.
    async fn decided<'s>(&mut self, wanted: Vec<Wanted<'s>>) -> Result<Vec<Setting<'s>>, Failure> {
        let place = |wanted: &Wanted<'_>| Place {
            oid: wanted.found.oid,
            name: wanted.sequence.qualified.clone(),
        };
        let places: Vec<Place> = wanted.iter().map(place).collect();
        let there = positions(&self.target, &places).await?;
        let mut settings = Vec::new();
        for wanted in wanted {
            let seen = match there.get(&wanted.found.oid) {
                Some(Ok(seen)) => *seen,
                Some(Err(why)) => {
                    let why = format!("its value on the target can't be read: {why}");
                    self.list(wanted.sequence, why);
                    continue;
                }
                None => {
                    self.list(wanted.sequence, "it is gone from the target".to_owned());
                    continue;
                }
            };
            let known = self.notes.of(&wanted.name());
            let source = (wanted.position, wanted.sequence.course);
            let decision = decide(source, &wanted.found, seen, &known);
            match decision {
                // From now on it is known to be pghaul's.
                Decision::Equal if known.set.is_empty() => {}
                Decision::Equal => {
                    self.output.sequences += 1;
                    continue;
                }
                Decision::Keep => {
                    self.tell(wanted.sequence, kept(seen, wanted.position));
                    continue;
                }
                Decision::Set | Decision::SetFurther => {}
            }
            settings.push(Setting {
                moved: decision == Decision::SetFurther,
                wanted,
                seen,
            });
        }
        Ok(settings)
    }

    /// Sets all with one statement, or each by itself where one of them can't be set. Returns those that have moved meanwhile.
    async fn set_all<'s>(&mut self, settings: Vec<Setting<'s>>) -> Result<Vec<Wanted<'s>>, Failure> {
        if settings.is_empty() {
            return Ok(Vec::new());
        }
        self.note(&settings).await?;
        let mut set = BTreeSet::new();
        let mut refused = BTreeSet::new();
        match self.set_at_once(&settings).await? {
            Ok(done) => set = done,
            Err(_) => {
                for setting in &settings {
                    match self.set_at_once(std::slice::from_ref(setting)).await? {
                        Ok(done) => set.extend(done),
                        Err(error) => {
                            refused.insert(setting.wanted.found.oid);
                            let why = format!("the target refuses its value: {}", error.message());
                            self.list(setting.wanted.sequence, why);
                        }
                    }
                }
            }
        }
        let mut rest = Vec::new();
        for setting in settings {
            let oid = setting.wanted.found.oid;
            if set.contains(&oid) {
                self.output.sequences += 1;
                if setting.moved {
                    self.tell(
                        setting.wanted.sequence,
                        further(setting.seen, setting.wanted.position),
                    );
                }
            } else if !refused.contains(&oid) {
                rest.push(setting.wanted);
            }
        }
        Ok(rest)
    }

    /// Before they are set: killed in between, the next run knows both values.
    async fn note(&mut self, settings: &[Setting<'_>]) -> Result<(), Failure> {
        let all = settings.iter();
        let all: Vec<(String, Position, bool)> = all
            .map(|setting| (setting.wanted.name(), setting.wanted.position, setting.moved))
            .collect();
        let transaction = self.ctx.begin(&mut self.target).await?;
        self.notes.add(&transaction, &all).await?;
        transaction.commit("note sequences").await
    }

    /// Sets sequences in one transaction; those that are still where they were seen. The inner error is one about a sequence.
    async fn set_at_once(
        &mut self,
        settings: &[Setting<'_>],
    ) -> Result<Result<BTreeSet<u32>, PgError>, Failure> {
        let all = || settings.iter();
        let oids: Vec<u32> = all().map(|s| s.wanted.found.oid).collect();
        let values: Vec<i64> = all().map(|s| s.wanted.position.value).collect();
        let called: Vec<bool> = all().map(|s| s.wanted.position.is_called).collect();
        let seen: Vec<Option<i64>> = all().map(|s| s.seen.is_called.then_some(s.seen.value)).collect();
        let transaction = self.ctx.begin(&mut self.target).await?;
        let doing = transaction.doing("set the sequences");
        let set = doing
            .query(include_str!("set.sql"), &[&oids, &values, &called, &seen])
            .await;
        match set {
            Ok(rows) => {
                let done: BTreeSet<u32> = rows.iter().map(|row| row.get("oid")).collect();
                let set = all().filter(|s| done.contains(&s.wanted.found.oid));
                let set: Vec<(String, Position)> =
                    set.map(|s| (s.wanted.name(), s.wanted.position)).collect();
                self.notes.keep_last(&transaction, &set).await?;
                transaction.commit("set sequences").await?;
                Ok(Ok(done))
            }
            Err(error) if is_about_a_sequence(&error) => {
                transaction.rollback().await?;
                Ok(Err(error))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// 22003 numeric_value_out_of_range, 42501 insufficient_privilege, 42P01 undefined_table, 42809 wrong_object_type, 55P03
/// lock_not_available, XX000: its oid is gone.
fn is_about_a_sequence(error: &PgError) -> bool {
    matches!(
        error.sqlstate(),
        Some("22003" | "42501" | "42P01" | "42809" | "55P03" | "XX000")
    )
}

fn does_not_fit(sequence: &Sequence, position: Position) -> String {
    let kind = sequence.definition.split(" INCREMENT").next().unwrap_or_default();
    format!(
        "its value {} does not fit into its bounds on the target; on the target: ALTER SEQUENCE {} {kind} MINVALUE {} MAXVALUE {}; then run again",
        position.value, sequence.qualified, sequence.minimum, sequence.maximum
    )
}

fn kept(there: Position, source: Position) -> String {
    format!(
        "it was moved on the target, by something other than pghaul, to {}, and stays there; the source's is at {}",
        there.value, source.value
    )
}

fn further(there: Position, source: Position) -> String {
    format!(
        "it was moved on the target, by something other than pghaul, to {}; it is set to the source's {}, which is further on",
        there.value, source.value
    )
}
