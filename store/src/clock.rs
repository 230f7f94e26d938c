//! The time that events are stamped with.

use std::fmt;
use std::sync::Arc;
use time::format_description::FormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

const MILLISECONDS: &[FormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// Where the time of an event comes from. It is for readers only; nothing is ever decided by it.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> OffsetDateTime + Send + Sync>);

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self::new(OffsetDateTime::now_utc)
    }

    /// Any function, such as one that always gives the same time.
    pub fn new(now: impl Fn() -> OffsetDateTime + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The present time as RFC 3339, UTC, with milliseconds.
    pub fn now(&self) -> String {
        let now = (self.0)().to_offset(UtcOffset::UTC);
        // Formatting fails only for years beyond 9999, where any text will do.
        now.format(MILLISECONDS)
            .unwrap_or_else(|_| now.unix_timestamp().to_string())
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
