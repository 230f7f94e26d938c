//! Data as it may be shown: the control characters of all names and words in it are escaped.
//!
//! Renderers begin with this, so that what they make has line breaks and styles of their own alone.

use pghaul_core::escape::{escape, escaped};
use pghaul_core::event::Record;
use pghaul_core::{DatabaseName, Event, StepName};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::borrow::Cow;

/// A value with all texts in it escaped.
pub(crate) fn legible<T: Clone + Serialize + DeserializeOwned>(value: &T) -> T {
    let shown = serde_json::to_value(value).map(of_value);
    // What was just written can be read: an escaped text is a text.
    shown
        .and_then(serde_json::from_value)
        .unwrap_or_else(|_| value.clone())
}

/// An event with all texts in it escaped.
pub(crate) fn event(event: &Event) -> Cow<'_, Event> {
    let shown = match event.to_record() {
        Ok(record) if !is_legible(&record) => Event::from_record(Record {
            database: record.database.as_ref().map(database),
            step: record.step.map(|step| StepName::from(&*escaped(step.as_str()))),
            item: record.item.map(|item| escaped(&item).into_owned()),
            payload: of_value(record.payload.value()).into(),
            ..record
        }),
        _ => return Cow::Borrowed(event),
    };
    shown.map_or(Cow::Borrowed(event), Cow::Owned)
}

/// Whether nothing in a record has to be escaped, as is nearly always so.
fn is_legible(record: &Record) -> bool {
    let database = record.database.as_ref().map_or("", DatabaseName::as_str);
    let step = record.step.as_ref().map_or("", StepName::as_str);
    let item = record.item.as_deref().unwrap_or_default();
    let texts = [database, step, item, record.payload.as_str()];
    texts.iter().all(|text| matches!(escaped(text), Cow::Borrowed(_)))
        && !has_escapes(record.payload.as_str())
}

/// Whether JSON holds a character in an escaped form that is not only a quotation mark or a slash.
fn has_escapes(json: &str) -> bool {
    let mut characters = json.chars();
    while let Some(character) = characters.next() {
        if character == '\\' && !matches!(characters.next(), Some('"' | '\\' | '/')) {
            return true;
        }
    }
    false
}

/// The name of a database, escaped.
pub(crate) fn database(name: &DatabaseName) -> DatabaseName {
    DatabaseName::from(&*escaped(name.as_str()))
}

fn of_value(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(escaped(&text).into_owned()),
        Value::Array(values) => values.into_iter().map(of_value).collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| (escaped(&name).into_owned(), of_value(value)))
            .collect(),
        other => other,
    }
}

/// A whole text that is about to be printed: what no renderer writes itself is escaped. Line breaks, tabs and styles stay. JSON
/// stays JSON: it may hold control characters only in texts, and there this is how they are escaped.
pub(crate) fn printed(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let style = style(rest);
        match c {
            '\u{1b}' if style > 0 => shown.push_str(rest.get(..style).unwrap_or_default()),
            '\n' | '\t' => shown.push(c),
            c => escape(c, &mut shown),
        }
        rest = rest.get(style.max(c.len_utf8())..).unwrap_or_default();
    }
    shown
}

/// The bytes of the control sequence that selects a style, where the text begins with one.
fn style(text: &str) -> usize {
    let Some(parameters) = text.strip_prefix("\u{1b}[") else {
        return 0;
    };
    let end = parameters.find(|c: char| !c.is_ascii_digit() && c != ';');
    match end {
        Some(end) if parameters.get(end..).is_some_and(|rest| rest.starts_with('m')) => end + 3,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::{event, legible, printed};
    use pghaul_core::{Code, DatabaseEvent, DatabaseName, Event, Failure};

    #[test]
    fn only_styles_and_line_breaks_are_printed_as_they_are() {
        let styled = "\u{1b}[1m\u{1b}[31merror\u{1b}[0m: a\n\tb\n";
        assert_eq!(printed(styled), styled);
        assert_eq!(
            printed("x\u{1b}]0;t\u{7}\u{1b}[2J\r\u{9b}y\u{1b}["),
            "x\\u001b]0;t\\u0007\\u001b[2J\\r\\u009by\\u001b["
        );
    }

    #[test]
    fn every_text_of_a_value_is_escaped() {
        let hostile = "a\nb\u{1b}[8m";
        let failure = Failure::new(Code::ServerError, hostile)
            .with_database(hostile)
            .with_cause(hostile)
            .with_hint(hostile);
        let failed = DatabaseEvent::Failed {
            failure: Box::new(failure.clone()),
        };
        let failed = Event::Database(DatabaseName::from(hostile), failed);
        // The newline and the escape character, as `Debug` shows them.
        let shown = format!("{:?}{:?}", legible(&failure), event(&failed)).replace("\\\\", "");
        assert!(!shown.contains("\\n") && !shown.contains("\\u{1b}"), "{shown}");
        assert_eq!(legible(&failure).message, "a\\nb\\u001b[8m");
        assert_eq!(
            event(&failed).database().map(|d| d.as_str()),
            Some("a\\nb\\u001b[8m")
        );
    }
}
