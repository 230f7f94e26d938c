//! Names that are keywords of the target's version, and none of the source's.
//!
//! In expressions and signatures the source writes them without quotes. The target refuses that, or takes them for something else: from
//! PostgreSQL 16 on `system_user` in a check is no column any more. Where there are such names, all names are quoted.

use pghaul_step::Failure;
use pghaul_step::postgres::{ReadOnly, Session, Source, Target};

const OPERATION: &str = "look for names that are keywords of the target";

/// Whether something in the source's database is called so.
pub(crate) async fn are_names(
    source: &Session<Source, ReadOnly>,
    target: &Session<Target, ReadOnly>,
) -> Result<bool, Failure> {
    if source.server_version() / 10_000 == target.server_version() / 10_000 {
        return Ok(false);
    }
    let sql =
        "SELECT pg_catalog.array_agg(word::text) FROM pg_catalog.pg_get_keywords() WHERE catcode <> 'U'";
    let words: Vec<String> = target.doing(OPERATION).query_one(sql, &[]).await?.get(0);
    let doing = source.doing(OPERATION);
    let row = doing.query_one(include_str!("keywords.sql"), &[&words]).await?;
    Ok(row.get(0))
}
