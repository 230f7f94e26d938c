//! Sizes as people write them: `500MB`, `2TiB`.

use std::str::FromStr;

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ByteSize(pub(crate) u64);

/// A text that is no size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a size; write bytes, or a number and a unit such as 500MB, 20GiB or 2TB")]
pub(crate) struct SizeError {
    text: String,
}

impl FromStr for ByteSize {
    type Err = SizeError;

    /// A number, perhaps with a decimal point, and a unit: B, kB, MB, GB, TB, PB count by thousands; KiB, MiB, GiB,
    /// TiB, PiB by 1024. Capitals don't matter.
    fn from_str(text: &str) -> Result<Self, SizeError> {
        let error = || SizeError {
            text: text.to_owned(),
        };
        let trimmed = text.trim();
        let digits = trimmed
            .trim_end_matches(|c: char| c.is_ascii_alphabetic())
            .trim_end();
        let unit = trimmed
            .get(digits.len()..)
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        let factor: u64 = match unit.as_str() {
            "" | "b" => 1,
            "kb" | "k" => 1000,
            "mb" | "m" => 1000_u64.pow(2),
            "gb" | "g" => 1000_u64.pow(3),
            "tb" | "t" => 1000_u64.pow(4),
            "pb" | "p" => 1000_u64.pow(5),
            "kib" => 1 << 10,
            "mib" => 1 << 20,
            "gib" => 1 << 30,
            "tib" => 1 << 40,
            "pib" => 1 << 50,
            _ => return Err(error()),
        };
        if let Ok(whole) = digits.parse::<u64>() {
            return whole.checked_mul(factor).map(Self).ok_or_else(error);
        }
        let bytes = digits.parse::<f64>().map_err(|_| error())? * factor as f64;
        // Beyond that, a float does not know every byte.
        let fits = bytes.is_finite() && (0.0..=9.0e15).contains(&bytes);
        if fits {
            Ok(Self(bytes as u64))
        } else {
            Err(error())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ByteSize;

    #[test]
    fn sizes_have_units() {
        let sizes = [
            ("0", 0),
            ("1024", 1024),
            ("500MB", 500_000_000),
            ("1.5 GiB", 1_610_612_736),
            ("2tb", 2_000_000_000_000),
            ("64k", 64_000),
        ];
        for (text, bytes) in sizes {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in [
            "",
            "MB",
            "-1",
            "1e400",
            "10 lightyears",
            "99999999999999999999",
            "20000PB",
            "NaN",
            "inf",
        ] {
            assert!(text.parse::<ByteSize>().is_err(), "{text}");
        }
    }
}
