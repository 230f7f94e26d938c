//! Connection strings in the key=value form, with values quoted so that any name can stand in them.

use std::fmt::Write;

pub(crate) fn conninfo(parameters: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (keyword, value) in parameters {
        let space = if text.is_empty() { "" } else { " " };
        let value = value.replace('\\', r"\\").replace('\'', r"\'");
        write!(text, "{space}{keyword}='{value}'").expect("writing to a String");
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn values_are_quoted() {
        assert_eq!(
            super::conninfo(&[("host", "h"), ("dbname", r"it's a \ name")]),
            r"host='h' dbname='it\'s a \\ name'"
        );
    }
}
