//! How names, and words of a server, are shown: they may hold anything.

use std::borrow::Cow;
use std::fmt::Write as _;

/// A text with its control characters escaped, as in PostgreSQL's `E''` strings and in JSON: `\n`, `\u001b`. So it stays on its line,
/// and a terminal does nothing but show it. Characters that change the direction of the text around them count, too.
pub fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(is_control) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        escape(c, &mut shown);
    }
    Cow::Owned(shown)
}

/// Adds a character to a text, escaped where it is a control character.
pub fn escape(c: char, shown: &mut String) {
    match c {
        '\n' => shown.push_str("\\n"),
        '\r' => shown.push_str("\\r"),
        '\t' => shown.push_str("\\t"),
        c if is_control(c) => {
            // All of them have four digits at most.
            let _ = write!(shown, "\\u{:04x}", u32::from(c));
        }
        c => shown.push(c),
    }
}

/// Control characters, separators of lines and paragraphs, and marks of direction.
fn is_control(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::escaped;
    use std::borrow::Cow;

    #[test]
    fn a_text_moves_no_cursor_and_begins_no_line() {
        assert_eq!(escaped("a\r\n\tb\u{1b}[2J"), "a\\r\\n\\tb\\u001b[2J");
        assert_eq!(escaped("\0\u{7f}\u{9b}\u{202e}"), "\\u0000\\u007f\\u009b\\u202e");
        let plain = "Ünïcö \"dé\" \\n 漢字 🦀";
        assert!(matches!(escaped(plain), Cow::Borrowed(text) if text == plain));
        assert_eq!(escaped(&escaped("\u{1b}\n")), escaped("\u{1b}\n"));
    }
}
