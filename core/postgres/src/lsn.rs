//! Positions in the write-ahead log.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A position in the write-ahead log, in bytes, as the type
/// [`pg_lsn`](https://www.postgresql.org/docs/current/datatype-pg-lsn.html) holds it.
///
/// ```
/// use pghaul_postgres::Lsn;
/// let a: Lsn = "16/B374D848".parse()?;
/// let b: Lsn = "16/B374D8A0".parse()?;
/// assert!(a < b);
/// assert_eq!(b.bytes_since(a), 88);
/// assert_eq!(a.to_string(), "16/B374D848");
/// # Ok::<(), pghaul_postgres::LsnError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Lsn(pub u64);

/// A text that is no position in the write-ahead log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a position in the write-ahead log such as 16/B374D848")]
pub struct LsnError {
    /// The text that was given.
    pub text: String,
}

impl Lsn {
    /// The distance from `earlier` to this position in bytes; 0 when `earlier` is not earlier.
    pub fn bytes_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xffff_ffff)
    }
}

impl FromStr for Lsn {
    type Err = LsnError;

    fn from_str(text: &str) -> Result<Self, LsnError> {
        let half = |part: &str| {
            let hex = !part.is_empty() && part.len() <= 8 && part.bytes().all(|b| b.is_ascii_hexdigit());
            hex.then(|| u64::from_str_radix(part, 16).ok()).flatten()
        };
        let parsed = text
            .split_once('/')
            .and_then(|(high, low)| Some((half(high)? << 32) | half(low)?));
        parsed.map(Self).ok_or_else(|| LsnError {
            text: text.to_owned(),
        })
    }
}

impl TryFrom<String> for Lsn {
    type Error = LsnError;

    fn try_from(text: String) -> Result<Self, LsnError> {
        text.parse()
    }
}

impl From<Lsn> for String {
    fn from(lsn: Lsn) -> Self {
        lsn.to_string()
    }
}

impl From<tokio_postgres::types::PgLsn> for Lsn {
    fn from(lsn: tokio_postgres::types::PgLsn) -> Self {
        Self(lsn.into())
    }
}

impl<'a> tokio_postgres::types::FromSql<'a> for Lsn {
    fn from_sql(
        ty: &tokio_postgres::types::Type,
        raw: &'a [u8],
    ) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        tokio_postgres::types::PgLsn::from_sql(ty, raw).map(Self::from)
    }

    fn accepts(ty: &tokio_postgres::types::Type) -> bool {
        <tokio_postgres::types::PgLsn as tokio_postgres::types::FromSql<'_>>::accepts(ty)
    }
}

impl tokio_postgres::types::ToSql for Lsn {
    fn to_sql(
        &self,
        ty: &tokio_postgres::types::Type,
        out: &mut bytes::BytesMut,
    ) -> Result<tokio_postgres::types::IsNull, Box<dyn std::error::Error + Sync + Send>> {
        tokio_postgres::types::PgLsn::from(self.0).to_sql(ty, out)
    }

    fn accepts(ty: &tokio_postgres::types::Type) -> bool {
        <tokio_postgres::types::PgLsn as tokio_postgres::types::ToSql>::accepts(ty)
    }

    tokio_postgres::types::to_sql_checked!();
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn text_round_trips(number: u64) {
            prop_assert_eq!(Lsn(number).to_string().parse::<Lsn>(), Ok(Lsn(number)));
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "/",
            "1",
            "1/",
            "/1",
            "G/0",
            "+1/0",
            "1/123456789",
            "1/2/3",
            " 1/2",
        ] {
            assert!(text.parse::<Lsn>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn order_and_distance() {
        let (low, high): (Lsn, Lsn) = ("0/FFFFFFFF".parse().unwrap(), "1/0".parse().unwrap());
        assert!(low < high);
        assert_eq!((high.bytes_since(low), low.bytes_since(high)), (1, 0));
    }
}
