//! What COPY must know of each table.

use pghaul_core::{Code, Failure, Side};
use pghaul_postgres::{Ident, QualifiedName, Right, Session, Source};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// A table as COPY sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: QualifiedName,
    /// The columns that COPY names, in order; generated ones are left out.
    pub columns: Vec<Ident>,
    /// Its size on the source, with TOAST and without indexes.
    pub bytes: u64,
    /// Where its rows are: a TRUNCATE or a rewriting ALTER TABLE changes it, and makes older snapshots see an
    /// empty table.
    pub file_node: u32,
}

/// Reads every table of the session's database, by schema and name.
///
/// # Errors
/// When the source can't be asked.
pub async fn read<R: Right>(
    session: &Session<Source, R>,
) -> Result<BTreeMap<(String, String), Table>, Failure> {
    let rows = session
        .doing("read the columns of the tables")
        .query(include_str!("tables.sql"), &[])
        .await?;
    let mut tables = BTreeMap::new();
    for row in rows {
        let schema: String = row.get("schema");
        let name: String = row.get("name");
        let columns: Vec<String> = row.get("columns");
        let table = Table {
            name: QualifiedName::new(schema.as_str(), name.as_str())?,
            columns: columns.into_iter().map(Ident::new).collect::<Result<_, _>>()?,
            bytes: row.get::<_, i64>("bytes").unsigned_abs(),
            file_node: row.get::<_, Option<u32>>("file_node").unwrap_or(0),
        };
        tables.insert((schema, name), table);
    }
    Ok(tables)
}

/// Takes ACCESS SHARE on a table inside a savepoint of the session's transaction, so that nobody can rewrite
/// the table until [`unlock`]. The session's lock_timeout limits the wait; where it ends, the transaction goes
/// on without the lock.
///
/// # Errors
/// [`Code::LockTimeout`], or what else the server reports.
pub async fn lock<R: Right>(session: &Session<Source, R>, table: &Table) -> Result<(), Failure> {
    let doing = session.doing("lock a table in ACCESS SHARE mode");
    doing.query("SAVEPOINT pghaul_table", &[]).await?;
    let lock = format!("LOCK TABLE ONLY {} IN ACCESS SHARE MODE", table.name);
    if let Err(error) = doing.query(&lock, &[]).await {
        doing.query("ROLLBACK TO SAVEPOINT pghaul_table", &[]).await?;
        return Err(error.into());
    }
    Ok(())
}

/// Gives the lock of [`lock`] back; the transaction, and its snapshot, go on.
///
/// # Errors
/// When the connection is lost.
pub async fn unlock<R: Right>(session: &Session<Source, R>) -> Result<(), Failure> {
    session
        .doing("unlock a table")
        .query("ROLLBACK TO SAVEPOINT pghaul_table", &[])
        .await?;
    Ok(())
}

/// Refuses to copy a table whose rows were moved since the snapshot was taken. Call it with the table locked.
///
/// # Errors
/// [`Code::PlanChanged`] where the table was truncated, rewritten or dropped.
pub async fn check_file_node<R: Right>(session: &Session<Source, R>, table: &Table) -> Result<(), Failure> {
    let row = session
        .doing("look whether the table was rewritten")
        .query_one(
            "SELECT pg_catalog.pg_relation_filenode(pg_catalog.to_regclass($1))",
            &[&table.name.to_string()],
        )
        .await?;
    if row.get::<_, Option<u32>>(0) == Some(table.file_node) {
        return Ok(());
    }
    Err(Failure::new(
        Code::PlanChanged,
        format!(
            "table {} was truncated, rewritten or dropped while it was to be copied",
            table.name
        ),
    )
    .with_side(Side::Source)
    .with_hint("run again: the copy starts over with a new snapshot"))
}

/// The order of copying: the largest table first, so that none is left for the end.
pub fn largest_first(tables: &mut [(u32, Table)]) {
    tables.sort_by_key(|(number, table)| (Reverse(table.bytes), *number));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_table_is_copied_first() {
        let table = |bytes| Table {
            name: QualifiedName::new("public", "t").unwrap(),
            columns: Vec::new(),
            bytes,
            file_node: 1,
        };
        let mut tables = [(1, table(10)), (2, table(30)), (3, table(10))];
        largest_first(&mut tables);
        assert_eq!(tables.map(|(number, _)| number), [2, 1, 3]);
    }
}
