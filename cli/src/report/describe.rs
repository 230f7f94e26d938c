//! Everything that is known of one step or check.

use super::columns::{Align, lines};
use super::steps;
use crate::style::{BOLD, paint};
use pghaul_core::{Code, Failure};
use pghaul_step::{Registry, alike};
use serde_json::Value;

/// What `pghaul steps --json` has of a step or a check, with its sort.
///
/// # Errors
/// [`Code::BadInput`] where there is none of that name, with the one that was probably meant.
pub(crate) fn find(registry: &Registry, name: &str) -> Result<Value, Failure> {
    let all = steps::json(registry)?;
    let mut names = Vec::new();
    for (sort, list) in [("step", all.get("steps")), ("check", all.get("checks"))] {
        for found in list.and_then(Value::as_array).into_iter().flatten() {
            let known = found.get("name").and_then(Value::as_str);
            if let (true, Some(fields)) = (known == Some(name), found.as_object()) {
                let mut fields = fields.clone();
                fields.insert("sort".to_owned(), Value::from(sort));
                return Ok(Value::Object(fields));
            }
            names.extend(known);
        }
    }
    let failure = Failure::new(Code::BadInput, format!("there is no step or check {name:?}"));
    Err(match alike(name, names.iter().copied()) {
        Some(meant) => failure.with_hint(format!("did you mean {meant:?}?")),
        None => failure.with_hint("`pghaul steps` lists all of them"),
    })
}

/// The same for people, a line for each thing.
pub(crate) fn text(described: &Value) -> String {
    let word = |key: &str| described.get(key).and_then(Value::as_str).unwrap_or_default();
    let mut rows = Vec::new();
    for (key, title) in [
        ("origin", "origin"),
        ("scope", "scope"),
        ("phase", "phase"),
        ("version", "contract version"),
        ("methods", "methods"),
        ("after", "after"),
        ("before", "before"),
        ("beside", "beside"),
        ("repeats", "runs again"),
        ("definition", "definition"),
    ] {
        let value = match described.get(key) {
            None | Some(Value::Null) => continue,
            Some(Value::Array(list)) if list.is_empty() => continue,
            Some(Value::Array(list)) => list
                .iter()
                .filter_map(Value::as_str)
                .collect::<Vec<_>>()
                .join(", "),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        rows.push(vec![format!("  {title}"), value]);
    }
    let title = paint(BOLD, format_args!("{} {}", word("sort"), word("name")));
    format!(
        "{title}: {}\n{}",
        word("summary"),
        lines(&[Align::Left, Align::Left], &rows)
    )
}
