//! Numbers as people read them, for the sentences of findings.

/// Bytes with one decimal and a binary unit: `1.2 GiB`.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes == 1 {
        return "1 byte".to_owned();
    }
    if bytes < 1024 {
        return format!("{bytes} bytes");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = "KiB";
    for next in UNITS.iter().skip(1) {
        if value < 1023.95 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    format!("{value:.1} {unit}")
}

/// ` and 3 more`, after the first of a list that is longer; nothing where all of `count` were named.
pub fn more(count: i64, named: usize) -> String {
    match usize::try_from(count).unwrap_or_default().saturating_sub(named) {
        0 => String::new(),
        more => format!(" and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::{bytes, more};

    #[test]
    fn only_what_was_not_named_is_more() {
        assert_eq!(more(7, 5), " and 2 more");
        assert_eq!(more(5, 5), "");
    }

    #[test]
    fn bytes_have_the_unit_that_keeps_them_short() {
        let cases = [
            (0, "0 bytes"),
            (1, "1 byte"),
            (1023, "1023 bytes"),
            (1024, "1.0 KiB"),
            (1024 * 1024 - 1, "1.0 MiB"),
            (1_300_000_000, "1.2 GiB"),
            (u64::MAX, "16384.0 PiB"),
        ];
        for (number, text) in cases {
            assert_eq!(bytes(number), text);
        }
    }
}
