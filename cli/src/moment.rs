//! Points in time and in a journal, as users write them.

use std::fmt;
use std::str::FromStr;
use time::format_description::FormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, Duration, OffsetDateTime, PrimitiveDateTime, Time, UtcOffset};

const DATE: &[FormatItem<'_>] = format_description!("[year]-[month]-[day]");
const MINUTES: &[FormatItem<'_>] = format_description!("[year]-[month]-[day] [hour]:[minute]");
const SECONDS: &[FormatItem<'_>] = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");

/// A time as users write it: RFC 3339, a date or a date and time in UTC, or a span before now such as `90m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(pub(crate) OffsetDateTime);

/// A place in a journal: the number of an event, or a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Seq(u64),
    Time(Moment),
}

/// From one moment to another.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from: Option<Moment>,
    pub(crate) to: Option<Moment>,
}

impl Span {
    pub(crate) fn add(&mut self, at: Option<Moment>) {
        self.from = self.from.or(at);
        self.to = self.to.max(at);
    }

    pub(crate) fn took(self) -> Option<std::time::Duration> {
        let (from, to) = (self.from?, self.to?);
        Some(std::time::Duration::try_from(to.0 - from.0).unwrap_or_default())
    }

    /// Where a moment lies in it, from 0 to 1.
    pub(crate) fn place(self, at: Moment) -> f64 {
        let (Some(from), Some(whole)) = (self.from, self.took()) else {
            return 0.0;
        };
        let before = std::time::Duration::try_from(at.0 - from.0).unwrap_or_default();
        if whole.is_zero() {
            return 0.0;
        }
        (before.as_secs_f64() / whole.as_secs_f64()).clamp(0.0, 1.0)
    }
}

/// A text that is none of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotAMoment;

impl fmt::Display for NotAMoment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a time is written as 2026-11-29T18:00:00Z, 2026-11-29, \"2026-11-29 18:00\" (UTC), or 30s, 90m, 2h, 3d ago",
        )
    }
}

impl std::error::Error for NotAMoment {}

impl Moment {
    /// The time of an event, as the journal has it.
    pub(crate) fn of_event(at: &str) -> Option<Self> {
        OffsetDateTime::parse(at, &Rfc3339).ok().map(Self)
    }

    fn before(now: OffsetDateTime, text: &str) -> Option<Self> {
        let unit = text.chars().last()?;
        let number: i64 = text.get(..text.len() - unit.len_utf8())?.parse().ok()?;
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            _ => return None,
        };
        let span = Duration::seconds(number.checked_mul(seconds).filter(|seconds| *seconds >= 0)?);
        now.checked_sub(span).map(Self)
    }
}

impl FromStr for Moment {
    type Err = NotAMoment;

    fn from_str(text: &str) -> Result<Self, NotAMoment> {
        let text = text.trim();
        if let Ok(time) = OffsetDateTime::parse(text, &Rfc3339) {
            return Ok(Self(time));
        }
        let plain = text.replace('T', " ");
        let in_utc = |time: PrimitiveDateTime| Self(time.assume_offset(UtcOffset::UTC));
        let date = Date::parse(&plain, DATE).map(|date| PrimitiveDateTime::new(date, Time::MIDNIGHT));
        date.or_else(|_| PrimitiveDateTime::parse(&plain, MINUTES))
            .or_else(|_| PrimitiveDateTime::parse(&plain, SECONDS))
            .map(in_utc)
            .ok()
            .or_else(|| Self::before(OffsetDateTime::now_utc(), text))
            .ok_or(NotAMoment)
    }
}

impl FromStr for Place {
    type Err = NotAMoment;

    fn from_str(text: &str) -> Result<Self, NotAMoment> {
        match text.parse() {
            Ok(seq) if seq > 0 => Ok(Self::Seq(seq)),
            _ => text.parse().map(Self::Time),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Moment, Place};
    use time::{Duration, OffsetDateTime};

    #[test]
    fn times_are_read_as_people_write_them() {
        let noon: Moment = "2026-11-29T12:00:00Z".parse().unwrap();
        for same in [
            "2026-11-29 12:00",
            "2026-11-29 12:00:00",
            "2026-11-29T14:00:00+02:00",
        ] {
            assert_eq!(same.parse(), Ok(noon), "{same}");
        }
        assert!("2026-11-29".parse::<Moment>().unwrap() < noon);
        let ago: Moment = "90m".parse().unwrap();
        let expected = OffsetDateTime::now_utc() - Duration::minutes(90);
        assert!((ago.0 - expected).abs() < Duration::seconds(5));
        for wrong in ["", "yesterday", "-3h", "2026-13-01", "9999999999999999d", "12:00"] {
            assert!(wrong.parse::<Moment>().is_err(), "{wrong}");
        }
        assert_eq!("17".parse(), Ok(Place::Seq(17)));
        assert!(matches!("2h".parse(), Ok(Place::Time(_))));
    }
}
