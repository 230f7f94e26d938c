//! Numbers as people read them.

pub(crate) use pghaul_step::quantity::bytes;
use std::time::Duration;

/// A count with groups of three digits: `1 200 034`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped
}

/// A count with its noun: `1 table`, `3 tables`.
pub(crate) fn plural(number: u64, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", count(number))
}

/// A duration, as exact as anyone cares: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", duration.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// Of fewer bytes, a rate says nothing.
const LEAST: u64 = 1024 * 1024;

/// Bytes in a second, where that means something: `12.5 MiB/s`.
pub(crate) fn rate(number: u64, took: Duration) -> Option<String> {
    let seconds = took.as_secs_f64();
    if seconds <= 0.0 || number < LEAST {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a rate is shown with two digits"
    )]
    let rate = (number as f64 / seconds) as u64;
    Some(format!("{}/s", bytes(rate)))
}

#[cfg(test)]
mod tests {
    use super::{count, duration, plural};
    use std::time::Duration;

    #[test]
    fn counts_and_durations_are_legible() {
        assert_eq!(count(1_200_034), "1 200 034");
        assert_eq!(count(999), "999");
        assert_eq!(plural(1, "table"), "1 table");
        assert_eq!(plural(0, "table"), "0 tables");
        assert_eq!(duration(Duration::from_millis(420)), "0.4 s");
        assert_eq!(duration(Duration::from_secs(200)), "3 min 20 s");
        assert_eq!(duration(Duration::from_secs(7500)), "2 h 5 min");
    }
}
