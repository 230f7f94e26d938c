//! What pghaul has set each sequence to: noted on the target before it is set, since `setval()` is not undone by a rollback.

use crate::decision::Known;
use crate::position::Position;
use pghaul_contracts::EffectKey;
use pghaul_step::{Context, Database, Failure, Method, OwnedTransaction};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Of a dump, whose notes on the target end with it: the last ones.
#[derive(Debug, Default, Serialize, Deserialize)]
struct LastSet {
    /// By the quoted names of the sequences.
    set: BTreeMap<String, Position>,
    /// The quoted names of those that somebody else has moved.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    moved: Vec<String>,
}

/// What is noted of all sequences, by their quoted names.
#[derive(Debug, Default)]
pub(crate) struct Notes(BTreeMap<String, Known>);

impl Notes {
    /// Reads what is noted on the target; of a dump that is copied once more, what the journal has.
    pub(crate) async fn read(ctx: &Context<Database>) -> Result<Self, Failure> {
        let mut all: BTreeMap<String, Known> = BTreeMap::new();
        for key in ctx.effects(EffectKey::SEQUENCE).await? {
            match key.parse() {
                Ok(EffectKey::SequenceSet {
                    name,
                    value,
                    is_called,
                }) => {
                    let position = Position { value, is_called };
                    all.entry(name).or_default().set.push(position);
                }
                Ok(EffectKey::SequenceMoved(name)) => all.entry(name).or_default().moved = true,
                _ => {}
            }
        }
        if ctx.method() == Method::Dump
            && let Some(last) = ctx.facts::<LastSet>()?.pop()
        {
            for (name, position) in last.set {
                let moved = last.moved.contains(&name);
                let set = vec![position];
                all.entry(name).or_insert(Known { set, moved });
            }
        }
        Ok(Self(all))
    }

    pub(crate) fn of(&self, name: &str) -> Known {
        self.0.get(name).cloned().unwrap_or_default()
    }

    /// Notes where a sequence is about to be set.
    pub(crate) async fn add(
        &mut self,
        transaction: &OwnedTransaction<'_>,
        additions: &[(String, Position, bool)],
    ) -> Result<(), Failure> {
        let mut keys = Vec::with_capacity(additions.len());
        for (name, position, moved) in additions {
            keys.push(set_key(name, *position));
            keys.extend(moved.then(|| EffectKey::SequenceMoved(name.clone()).to_string()));
            let known = self.0.entry(name.clone()).or_default();
            known.moved |= moved;
            if !known.set.contains(position) {
                known.set.push(*position);
            }
        }
        transaction.forget_each(&keys).await?;
        transaction.effects(&keys).await
    }

    /// Forgets where sequences were before they were set.
    pub(crate) async fn keep_last(
        &mut self,
        transaction: &OwnedTransaction<'_>,
        done: &[(String, Position)],
    ) -> Result<(), Failure> {
        let mut old = Vec::new();
        for (name, position) in done {
            let known = self.0.entry(name.clone()).or_default();
            let others = known.set.iter().filter(|other| *other != position);
            old.extend(others.map(|other| set_key(name, *other)));
            known.set = vec![*position];
        }
        transaction.forget_each(&old).await
    }

    /// Journals the notes of a dump.
    pub(crate) async fn record(&self, ctx: &Context<Database>) -> Result<(), Failure> {
        let last = |(name, known): (&String, &Known)| Some((name.clone(), *known.set.last()?));
        let moved = self.0.iter().filter(|(_, known)| known.moved);
        let last = LastSet {
            set: self.0.iter().filter_map(last).collect(),
            moved: moved.map(|(name, _)| name.clone()).collect(),
        };
        if last.set.is_empty() {
            Ok(())
        } else {
            ctx.record(&last).await
        }
    }
}

fn set_key(name: &str, position: Position) -> String {
    EffectKey::SequenceSet {
        name: name.to_owned(),
        value: position.value,
        is_called: position.is_called,
    }
    .to_string()
}
