//! The JSON Schema of the configuration, and an example that is made from it.

use super::file::File;
use pghaul_core::Failure;
use serde_json::Value;

/// Keys that an example gives a value, with it; they stand before the others.
type Samples = &'static [(&'static str, &'static str)];

const SECTIONS: &[(&str, &str, Samples)] = &[
    (
        "check",
        "CheckDefinition",
        &[
            ("name", "\"naming-rule\""),
            ("command", "[\"./naming.py\", \"--strict\"]"),
        ],
    ),
    (
        "step",
        "StepDefinition",
        &[
            ("name", "\"vacuum\""),
            ("command", "[\"./vacuum.sh\"]"),
            ("after", "[\"post-data\"]"),
        ],
    ),
    (
        "observer",
        "ObserverDefinition",
        &[
            ("name", "\"chat\""),
            ("command", "[\"./chat.py\"]"),
            ("kinds", "[\"failed\", \"syncing_proven\", \"removed\"]"),
        ],
    ),
];

/// The JSON Schema.
pub(crate) fn schema() -> Value {
    schemars::schema_for!(File).to_value()
}

/// A file with every key. Lines that begin with `#: ` are keys with their defaults.
///
/// # Errors
/// When the schema has another form than this expects.
pub(crate) fn example() -> Result<String, Failure> {
    let schema = schema();
    let mut text =
        String::from("# Lines that begin with #: show defaults, or a value where there is none.\n\n");
    add_key(
        &mut text,
        &schema,
        "sql_checks",
        at(&schema, "/properties/sql_checks"),
    );
    for (section, definition, samples) in SECTIONS {
        let definition = at(&schema, &format!("/$defs/{definition}"));
        let properties = at(definition, "/properties").as_object();
        let properties = properties.ok_or_else(|| Failure::bug(format!("no schema of {section}")))?;
        add_comment(&mut text, description(definition));
        text.push_str(&format!("[[{section}]]\n"));
        for (key, sample) in *samples {
            add_comment(
                &mut text,
                &described(&schema, at(definition, &format!("/properties/{key}"))),
            );
            text.push_str(&format!("{key} = {sample}\n"));
        }
        for (key, property) in properties {
            if samples.iter().all(|(sample, _)| sample != key) {
                add_key(&mut text, &schema, key, property);
            }
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    Ok(text)
}

/// A key that need not be given.
fn add_key(text: &mut String, schema: &Value, key: &str, property: &Value) {
    add_comment(text, &described(schema, property));
    let default = match at(property, "/default") {
        Value::Null if key == "summary" => "\"what it does\"".to_owned(),
        Value::Null => "\"sql-checks\"".to_owned(),
        Value::Object(_) => "{ }".to_owned(),
        other => other.to_string(),
    };
    text.push_str(&format!("#: {key} = {default}\n"));
    if key == "sql_checks" {
        text.push('\n');
    }
}

/// The value at a path, `null` where there is none.
fn at<'v>(value: &'v Value, path: &str) -> &'v Value {
    value.pointer(path).unwrap_or(&Value::Null)
}

fn add_comment(text: &mut String, comment: &str) {
    for line in comment.lines() {
        text.push_str(&format!("# {line}\n"));
    }
}

fn description(property: &Value) -> &str {
    at(property, "/description").as_str().unwrap_or_default()
}

/// The description, with the values that are possible.
fn described(schema: &Value, property: &Value) -> String {
    let mut text = description(property).to_owned();
    let of = property.get("items").unwrap_or(property);
    let name = at(of, "/$ref").as_str().and_then(|path| path.rsplit('/').next());
    let values = name.and_then(|name| at(schema, &format!("/$defs/{name}/oneOf")).as_array());
    let Some(values) = values else {
        return text;
    };
    for value in values {
        if let Some(constant) = at(value, "/const").as_str() {
            text.push_str(&format!("\n  {constant}: {}", description(value)));
        }
    }
    text
}
