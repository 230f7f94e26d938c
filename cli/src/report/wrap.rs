//! Text that fits the width of a terminal.

/// The text in lines of at most so many characters, broken between words. A word that is longer has a line of
/// its own: names and SQL are never cut.
pub(crate) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut length = 0;
    for word in text.split_whitespace() {
        let letters = word.chars().count();
        if length > 0 && length + 1 + letters > width {
            lines.push(std::mem::take(&mut line));
            length = 0;
        }
        if length > 0 {
            line.push(' ');
            length += 1;
        }
        line.push_str(word);
        length += letters;
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::wrapped;

    #[test]
    fn lines_break_between_words_only() {
        assert_eq!(wrapped("one two  three", 7), ["one two", "three"]);
        assert_eq!(wrapped("a wordthatislong b", 6), ["a", "wordthatislong", "b"]);
        assert_eq!(wrapped("Ünïcö dé", 8), ["Ünïcö dé"]);
        assert_eq!(wrapped("", 8), [""]);
    }
}
