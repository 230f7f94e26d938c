//! What steps note in the journal, to JSON and back.

use pghaul_core::{Code, Failure, JsonText, StepName};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::str::FromStr;

pub(crate) fn to_json(value: &impl Serialize) -> Result<JsonText, Failure> {
    JsonText::of(value).map_err(|e| Failure::bug(format!("a step's facts are not JSON: {e}")))
}

/// Items by their names.
pub(crate) fn named<'a, N: FromStr + Ord, T: DeserializeOwned>(
    step: &StepName,
    items: impl IntoIterator<Item = (&'a String, &'a JsonText)>,
) -> Result<BTreeMap<N, T>, Failure> {
    items
        .into_iter()
        .map(|(name, value)| {
            let parsed = name.parse().map_err(|_| {
                unreadable(step).with_cause(format!("an item of another version is named {name:?}"))
            })?;
            Ok((parsed, from_json(step, value)?))
        })
        .collect()
}

pub(crate) fn from_json<T: DeserializeOwned>(step: &StepName, value: &JsonText) -> Result<T, Failure> {
    value.read().map_err(|e| unreadable(step).with_cause(e))
}

fn unreadable(step: &StepName) -> Failure {
    Failure::new(
        Code::JournalUnusable,
        format!("what step {step} noted in the journal can't be read"),
    )
    .with_hint("use the version of pghaul that wrote this journal, or a newer one")
}
