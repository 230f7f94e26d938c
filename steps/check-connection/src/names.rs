//! Names that can't be read: pghaul's sessions use UTF8, to which a server converts what it sends.

use crate::Obstacle;
use pghaul_step::Failure;
use pghaul_step::postgres::{ReadOnly, Session, Source};

/// What has names, and a query for them.
const NAMES: [(&str, &str); 6] = [
    ("schemas", "SELECT nspname::text FROM pg_catalog.pg_namespace"),
    (
        "tables and other relations",
        "SELECT relname::text FROM pg_catalog.pg_class",
    ),
    (
        "columns",
        "SELECT attname::text FROM pg_catalog.pg_attribute WHERE attnum > 0 AND NOT attisdropped",
    ),
    ("types", "SELECT typname::text FROM pg_catalog.pg_type"),
    (
        "keys and checks",
        "SELECT conname::text FROM pg_catalog.pg_constraint",
    ),
    (
        "roles that own relations",
        "SELECT DISTINCT pg_catalog.pg_get_userbyid(relowner)::text FROM pg_catalog.pg_class",
    ),
];

/// What the server says of bytes that are no text in an encoding, and of a character that another one lacks.
const NOT_CONVERTED: [&str; 2] = ["22021", "22P05"];

/// Which names of a database can't be read.
pub(crate) async fn unreadable(session: &Session<Source, ReadOnly>) -> Result<Option<Obstacle>, Failure> {
    let encoding = session.setting("server_encoding").await?.unwrap_or_default();
    if encoding == "UTF8" {
        return Ok(None);
    }
    let mut of = Vec::new();
    for (what, query) in NAMES {
        match session.doing("read the names").query(query, &[]).await {
            Err(error) if NOT_CONVERTED.iter().any(|state| error.sqlstate() == Some(*state)) => of.push(what),
            other => drop(other?),
        }
    }
    Ok((!of.is_empty()).then(|| Obstacle::NamesNotUtf8 {
        database: session.database().to_owned(),
        encoding,
        of,
    }))
}
