//! Where sequences are, on either side.
//!
//! They are read by oid, with functions of the catalogs. A name may lead elsewhere by the time it is read: its owner can
//! put a view in the place of the sequence, and the view's functions would run with the rights of the reader. Up to
//! PostgreSQL 17 a value that `nextval()` has not returned yet can only be read by name: in a transaction that has locked
//! the sequence by its oid before, and that reads no view of users, where the server knows how to forbid that.

use pghaul_step::Failure;
use pghaul_step::postgres::{Doing, PgError, QualifiedName, Right, Row, Session, SideMarker};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The first version with `pg_get_sequence_data`.
const READS_BY_OID: u32 = 180_000;

/// Keeps a transaction from reading views and foreign tables of users, where the server has the setting: since the minor
/// versions of August 2024. <https://www.postgresql.org/docs/current/runtime-config-client.html>
const NO_VIEWS: &str = "SELECT pg_catalog.set_config(name, 'view, foreign-table', true) FROM pg_catalog.pg_settings \
                        WHERE name = 'restrict_nonsystem_relation_kind'";

/// Where a sequence is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    pub(crate) value: i64,
    pub(crate) is_called: bool,
}

/// Which way a sequence goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Course {
    pub(crate) increment: i64,
    pub(crate) cycles: bool,
}

/// A sequence that is read: its oid, which leads to it, and its name.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) oid: u32,
    pub(crate) name: QualifiedName,
}

/// Positions by oid, and why others could not be read.
pub(crate) type Positions = BTreeMap<u32, Result<Position, String>>;

/// Reads where sequences are: all with one statement, or each by itself where one of them can't be read.
pub(crate) async fn positions<S: SideMarker, R: Right>(
    session: &Session<S, R>,
    places: &[Place],
) -> Result<Positions, Failure> {
    match read(session, places).await {
        Ok(positions) => Ok(positions),
        Err(error) if session.is_closed() || error.sqlstate().is_none() => Err(error.into()),
        Err(_) => {
            let mut positions = Positions::new();
            for place in places {
                match read(session, std::slice::from_ref(place)).await {
                    Ok(read) => positions.extend(read),
                    Err(error) if session.is_closed() || error.sqlstate().is_none() => {
                        return Err(error.into());
                    }
                    Err(error) => drop(positions.insert(place.oid, Err(error.message().to_owned()))),
                }
            }
            Ok(positions)
        }
    }
}

async fn read<S: SideMarker, R: Right>(
    session: &Session<S, R>,
    places: &[Place],
) -> Result<Positions, PgError> {
    let doing = session.doing("read the sequences");
    if session.server_version() >= READS_BY_OID {
        return read_by_oid(&doing, places).await;
    }
    doing.query("BEGIN READ ONLY", &[]).await?;
    let positions = read_in_transaction(&doing, places).await;
    if !session.is_closed() {
        doing.query("ROLLBACK", &[]).await?;
    }
    positions
}

fn oids<'p>(places: impl IntoIterator<Item = &'p Place>) -> Vec<u32> {
    places.into_iter().map(|place| place.oid).collect()
}

async fn read_by_oid<R: Right>(doing: &Doing<'_, R>, places: &[Place]) -> Result<Positions, PgError> {
    let rows = doing
        .query(include_str!("values_18.sql"), &[&oids(places)])
        .await?;
    let position = |row: &Row| {
        let (value, is_called): (Option<i64>, Option<bool>) = (row.get("last_value"), row.get("is_called"));
        match (value, is_called) {
            (Some(value), Some(is_called)) => Ok(Position { value, is_called }),
            _ => Err("permission denied, or it is gone".to_owned()),
        }
    };
    Ok(rows.iter().map(|row| (row.get("oid"), position(row))).collect())
}

async fn read_in_transaction<R: Right>(doing: &Doing<'_, R>, places: &[Place]) -> Result<Positions, PgError> {
    doing.query(NO_VIEWS, &[]).await?;
    let rows = doing
        .query(include_str!("values_10.sql"), &[&oids(places)])
        .await?;
    let values: BTreeMap<u32, Option<i64>> = rows
        .iter()
        .map(|row| (row.get("oid"), row.get("last_value")))
        .collect();
    let called = |value| Position {
        value,
        is_called: true,
    };
    let mut positions: Positions = values
        .iter()
        .filter_map(|(oid, value)| value.map(|value| (*oid, Ok(called(value)))))
        .collect();
    let uncalled: Vec<&Place> = places
        .iter()
        .filter(|s| !positions.contains_key(&s.oid))
        .collect();
    if uncalled.is_empty() {
        return Ok(positions);
    }
    let names: Vec<String> = uncalled.iter().map(|s| s.name.to_string()).collect();
    let uncalled_oids = oids(uncalled.iter().copied());
    let rows = doing
        .query(include_str!("still_named.sql"), &[&uncalled_oids, &names])
        .await?;
    let still: Vec<u32> = rows.iter().map(|row| row.get("oid")).collect();
    let (there, gone): (Vec<&Place>, Vec<&Place>) =
        uncalled.into_iter().partition(|place| still.contains(&place.oid));
    let renamed = "it was renamed or dropped while it was read";
    positions.extend(gone.iter().map(|s| (s.oid, Err(renamed.to_owned()))));
    if !there.is_empty() {
        let one = |s: &&Place| {
            format!(
                "SELECT {}::oid AS oid, last_value, is_called FROM {}",
                s.oid, s.name
            )
        };
        let all: Vec<String> = there.iter().map(one).collect();
        for row in doing.query(&all.join(" UNION ALL "), &[]).await? {
            let (value, is_called) = (row.get("last_value"), row.get("is_called"));
            positions.insert(row.get("oid"), Ok(Position { value, is_called }));
        }
    }
    Ok(positions)
}
