//! Which tables can be copied in binary format.
//!
//! Binary is faster, and exact where both servers agree on the binary form of every type. Where they may not,
//! text is safe between all versions.

use pghaul_core::Failure;
use pghaul_core::plan::CopyFormat;
use pghaul_postgres::error::unexpected;
use pghaul_postgres::{Right, Session, Source, Target};
use std::collections::{BTreeMap, BTreeSet};

/// The tables whose types forbid the binary format, by oid on the source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Formats {
    text: BTreeSet<u32>,
}

impl Formats {
    /// Looks at the types of all tables, and at the extensions of both sides that they come from. The target
    /// must have its extensions already.
    ///
    /// # Errors
    /// When a server can't be asked.
    pub async fn read<R: Right, T: Right>(
        source: &Session<Source, R>,
        target: &Session<Target, T>,
    ) -> Result<Self, Failure> {
        let major = i32::try_from(target.server_version() / 10_000).unwrap_or(i32::MAX);
        let doing = source.doing("look which tables have a safe binary form");
        let reasons = doing.query(include_str!("binary.sql"), &[&major]).await?;
        let sql = "SELECT extname::text, extversion FROM pg_catalog.pg_extension";
        let extensions = target.doing("read the extensions").query(sql, &[]).await?;
        let extensions: BTreeMap<String, String> =
            extensions.iter().map(|row| (row.get(0), row.get(1))).collect();
        let mut text = BTreeSet::new();
        for row in &reasons {
            let extension: Option<&str> = row.try_get("extension").map_err(unexpected)?;
            let version: Option<&str> = row.try_get("version").map_err(unexpected)?;
            let same = extension.is_some_and(|name| extensions.get(name).map(String::as_str) == version);
            if !same {
                text.insert(row.try_get("oid").map_err(unexpected)?);
            }
        }
        Ok(Self { text })
    }

    /// The best format that is safe for a table, given by its oid on the source.
    pub fn best(&self, oid: u32) -> CopyFormat {
        if self.text.contains(&oid) {
            CopyFormat::Text
        } else {
            CopyFormat::Binary
        }
    }
}
