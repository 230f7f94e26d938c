//! Lines at the lower end of a terminal that are drawn again and again, while other text scrolls above them.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use unicode_width::UnicodeWidthStr as _;

/// Clears the terminal from the cursor on.
const CLEAR: &str = "\u{1b}[J";

/// The width and height of a terminal, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) width: usize,
    pub(crate) height: usize,
}

impl Size {
    /// That of the terminal on stderr; that of an old terminal where it does not tell.
    pub(crate) fn of_stderr() -> Self {
        let size = terminal_size::terminal_size_of(io::stderr());
        let (width, height) = size.map_or((0, 0), |(width, height)| (width.0, height.0));
        let or = |size: u16, fallback: usize| if size == 0 { fallback } else { usize::from(size) };
        Self {
            width: or(width, 80),
            height: or(height, 24),
        }
    }
}

/// The lines; cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Drawing(Arc<Mutex<Drawn>>);

/// What is on the terminal.
#[derive(Default)]
struct Drawn {
    lines: Vec<String>,
    /// The width that the terminal had then.
    width: usize,
}

impl Drawing {
    /// Draws these lines in place of those before. Each must be narrower than the terminal.
    pub(crate) fn draw(&self, lines: Vec<String>) {
        let mut drawn = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let width = Size::of_stderr().width;
        // What a terminal knows of lines that it has broken goes away with them.
        let clear = if width == drawn.width { "" } else { CLEAR };
        let text = format!("{}{clear}{}", back(&drawn.lines, width), shown(&lines));
        *drawn = Drawn { lines, width };
        to_stderr(&text);
    }

    /// Takes the lines away before the process ends at once; nothing is waited for.
    pub(crate) fn leave(&self) {
        if let Ok(drawn) = self.0.try_lock() {
            drawn.erase();
        }
    }

    /// Takes the lines away while something else is written, which must end with a line break.
    pub(crate) fn suspend<T>(&self, write: impl FnOnce() -> T) -> T {
        let drawn = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        drawn.erase();
        let written = write();
        if !drawn.lines.is_empty() {
            to_stderr(&shown(&drawn.lines));
        }
        written
    }
}

impl Drawn {
    fn erase(&self) {
        if !self.lines.is_empty() {
            to_stderr(&format!("{}{CLEAR}", back(&self.lines, Size::of_stderr().width)));
        }
    }
}

/// A terminal that is gone shows nothing.
fn to_stderr(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

/// From the end of the lines to their begin. A terminal that became narrower has broken them.
fn back(lines: &[String], width: usize) -> String {
    let rows = |line: &String| columns(line).div_ceil(width.max(1)).max(1);
    match lines.iter().map(rows).sum::<usize>() {
        0 | 1 => "\r".to_owned(),
        rows => format!("\r\u{1b}[{}A", rows - 1),
    }
}

/// The lines, each to its end, and nothing below them. A terminal that has become narrower a moment ago breaks none of them.
fn shown(lines: &[String]) -> String {
    let ended: Vec<String> = lines.iter().map(|line| format!("{line}\u{1b}[K")).collect();
    format!("\u{1b}[?7l{}{CLEAR}\u{1b}[?7h", ended.join("\r\n"))
}

/// How many columns a terminal shows a text in, styles aside.
pub(crate) fn columns(text: &str) -> usize {
    anstream::adapter::strip_str(text).to_string().width()
}

/// A plain text in at most so many columns.
pub(crate) fn cut(text: &str, most: usize) -> String {
    if text.width() <= most {
        return text.to_owned();
    }
    let mut cut = String::new();
    for letter in text.chars() {
        if cut.width() + unicode_width::UnicodeWidthChar::width(letter).unwrap_or(0) >= most {
            break;
        }
        cut.push(letter);
    }
    if most > 0 {
        cut.push('…');
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::{back, cut, shown};

    #[test]
    fn lines_are_drawn_over_also_after_the_terminal_became_narrower() {
        let lines = ["x".repeat(60), "y".repeat(30)].to_vec();
        assert_eq!(back(&[], 80), "\r");
        assert_eq!(back(&lines, 80), "\r\u{1b}[1A");
        assert_eq!(back(&lines, 40), "\r\u{1b}[2A", "the first takes two rows now");
        let drawn = "\u{1b}[?7la\u{1b}[K\r\nb\u{1b}[K\u{1b}[J\u{1b}[?7h";
        assert_eq!(shown(&["a".to_owned(), "b".to_owned()]), drawn);
    }

    #[test]
    fn a_long_name_is_cut_at_the_columns_that_it_takes() {
        assert_eq!(cut("orders", 6), "orders");
        assert_eq!(cut("orders", 4), "ord…");
        assert_eq!(cut("数据库", 5), "数据…");
        assert_eq!(cut("orders", 0), "");
    }
}
