//! The passwords that a program was given, so that none is shown or journaled when the program repeats it.

use pghaul_step::postgres::conninfo::escaped_value;
use serde_json::Value;

/// What stands in place of a password.
const HIDDEN: &str = "***";

/// A shorter one would hide parts of common words.
const SHORTEST: usize = 4;

/// Keys of a message whose values are words of the protocol.
const WORDS: &[&str] = &["type", "severity", "state"];

/// Each password as it stands by itself, in a conninfo and in a password file, also in JSON; the longest form first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Passwords(Vec<String>);

impl Passwords {
    /// Adds a password, unless it is one of the other parameters: these are shown and journaled.
    pub(super) fn add(&mut self, parameters: &[(&'static str, String)]) {
        let password = parameters.iter().find(|(key, _)| *key == "password");
        let Some((_, password)) = password.filter(|(_, password)| password.chars().count() >= SHORTEST)
        else {
            return;
        };
        if parameters
            .iter()
            .any(|(key, value)| *key != "password" && value == password)
        {
            return;
        }
        for form in [
            password.clone(),
            escaped_value(password),
            escaped_in_password_file(password),
        ] {
            self.0.extend([escaped_in_json(&form), form]);
        }
        self.0.sort_by_key(|form| std::cmp::Reverse(form.len()));
        self.0.dedup();
    }

    /// The text without the passwords.
    pub(crate) fn hidden_in(&self, text: &str) -> String {
        let hide = |text: String, form: &String| text.replace(form, HIDDEN);
        self.0.iter().fold(text.to_owned(), hide)
    }

    /// Hides the passwords in a message. Words of the protocol stay.
    pub(crate) fn hide_in_message(&self, message: &mut Value) {
        match message {
            Value::Object(fields) => {
                let of_program = fields
                    .iter_mut()
                    .filter(|(key, _)| !WORDS.contains(&key.as_str()));
                of_program.for_each(|(_, value)| self.hide(value));
            }
            other => self.hide(other),
        }
    }

    fn hide(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.hidden_in(text),
            Value::Array(values) => values.iter_mut().for_each(|value| self.hide(value)),
            Value::Object(fields) => {
                let shown = std::mem::take(fields).into_iter().map(|(key, mut value)| {
                    self.hide(&mut value);
                    (self.hidden_in(&key), value)
                });
                *fields = shown.collect();
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// A value of a password file.
pub(super) fn escaped_in_password_file(value: &str) -> String {
    value.replace('\\', r"\\").replace(':', r"\:")
}

fn escaped_in_json(value: &str) -> String {
    let quoted = Value::from(value).to_string();
    let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.unwrap_or(&quoted).to_owned()
}

#[cfg(test)]
mod tests {
    use super::Passwords;

    #[test]
    fn what_is_not_hidden_is_short_known_or_another_text() {
        let hidden = |password: &str, text: &str| {
            let mut passwords = Passwords::default();
            passwords.add(&[("user", "postgres".to_owned()), ("password", password.to_owned())]);
            passwords.hidden_in(text)
        };
        assert_eq!(hidden("s3cret", "it is s3cret"), "it is ***");
        // Fewer than four characters, another parameter, encoded, cut.
        for (password, text) in [
            ("abc", "abcd"),
            ("postgres", "postgres"),
            ("s3cret", "czNjcmV0"),
            ("s3cret", "s3cre"),
        ] {
            assert_eq!(hidden(password, text), text);
        }
    }
}
