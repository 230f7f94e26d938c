//! Columns of text that line up, whatever styles are in them.

/// Which end of a column lines up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// Rows as lines, each column as wide as its widest cell, two spaces between columns.
pub(crate) fn lines(align: &[Align], rows: &[Vec<String>]) -> String {
    let widths: Vec<usize> = (0..align.len())
        .map(|column| {
            rows.iter()
                .filter_map(|row| row.get(column))
                .map(|cell| width(cell))
                .max()
                .unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(align).zip(&widths).map(|((cell, align), column)| {
            let space = " ".repeat(column.saturating_sub(width(cell)));
            match align {
                Align::Left => format!("{cell}{space}"),
                Align::Right => format!("{space}{cell}"),
            }
        });
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// How many characters a terminal shows of a text.
fn width(text: &str) -> usize {
    anstream::adapter::strip_str(text).to_string().chars().count()
}

#[cfg(test)]
mod tests {
    use super::{Align, lines};
    use crate::style::{ERROR, paint};

    #[test]
    fn styles_do_not_move_columns() {
        let row = |a: &str, b: String, c: &str| vec![a.to_owned(), b, c.to_owned()];
        let rows = [
            row("shop", paint(ERROR, "failed"), "1"),
            row("x", "done".to_owned(), "12"),
        ];
        let text = lines(&[Align::Left, Align::Left, Align::Right], &rows);
        assert_eq!(
            anstream::adapter::strip_str(&text).to_string(),
            "shop  failed   1\nx     done    12\n"
        );
    }
}
