//! What COPY must know of each table.

use pghaul_core::catalog::{Relation, Size};
use pghaul_core::{Failure, TableName};
use pghaul_postgres::catalog::Detail;
use pghaul_postgres::{Ident, QualifiedName, Right, Session, Source};
use std::collections::{BTreeMap, BTreeSet};

/// A table as COPY sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its oid on the source.
    pub oid: u32,
    /// Its name.
    pub name: QualifiedName,
    /// The columns that COPY names, in order; generated ones are left out.
    pub columns: Vec<Ident>,
    /// Its size on the source, with TOAST and without indexes.
    pub bytes: u64,
    /// The blocks of its main fork.
    pub blocks: u64,
    /// Where its rows are: a TRUNCATE or a rewriting ALTER TABLE changes it, and makes older snapshots see an
    /// empty table.
    pub file_node: u32,
    /// The rows that were inserted, updated and deleted since its counters began.
    pub changes: i64,
}

/// Reads every table of the session's database. The session must be in no transaction.
///
/// # Errors
/// When the source can't be asked.
pub async fn read<R: Right>(session: &Session<Source, R>) -> Result<BTreeMap<TableName, Table>, Failure> {
    let catalog = session.catalog(Detail::Sizes).await?;
    let tables = catalog.relations.tables();
    let tables: Vec<(&Relation, Size)> = tables.filter_map(|table| Some((table, table.size?))).collect();
    let oids: Vec<u32> = tables.iter().map(|(table, _)| table.oid).collect();
    let doing = session.doing("read the counters of the tables");
    let rows = doing.query(include_str!("counters.sql"), &[&oids]).await?;
    let changes: BTreeMap<u32, Option<i64>> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let table = |(table, size): (&Relation, Size)| {
        let columns = table.copied_columns().map(|column| Ident::new(&*column.name));
        let read = Table {
            oid: table.oid,
            name: QualifiedName::try_from(&table.name)?,
            columns: columns.collect::<Result<_, _>>()?,
            bytes: size.bytes,
            blocks: size.blocks,
            file_node: table.file_node,
            changes: changes.get(&table.oid).copied().flatten().unwrap_or(0),
        };
        Ok((table.name.clone(), read))
    };
    tables.into_iter().map(table).collect()
}

/// Reads the catalogs that hold the large objects of the session's database.
///
/// # Errors
/// When the source can't be asked.
pub async fn read_large_object_catalogs<R: Right>(
    session: &Session<Source, R>,
) -> Result<Vec<Table>, Failure> {
    let rows = session
        .doing("read the counters of the catalogs of large objects")
        .query(include_str!("large_object_catalogs.sql"), &[])
        .await?;
    let mut catalogs = Vec::with_capacity(rows.len());
    for row in rows {
        catalogs.push(Table {
            oid: row.get("oid"),
            name: QualifiedName::new("pg_catalog", row.get::<_, String>("name"))?,
            columns: Vec::new(),
            bytes: 0,
            blocks: 0,
            file_node: row.get::<_, Option<u32>>("file_node").unwrap_or(0),
            changes: row.get::<_, Option<i64>>("changes").unwrap_or(0),
        });
    }
    Ok(catalogs)
}

/// Takes ACCESS SHARE on tables inside a savepoint of the session's transaction, so that nobody can rewrite
/// them until [`unlock`]. The session's lock_timeout limits the wait; where it ends, the transaction goes on
/// without any of the locks.
///
/// # Errors
/// [`Code::LockTimeout`](pghaul_core::Code::LockTimeout), or what else the server reports.
pub async fn lock<R: Right>(session: &Session<Source, R>, tables: &[&Table]) -> Result<(), Failure> {
    let doing = session.doing("lock tables in ACCESS SHARE mode");
    let names: Vec<String> = tables.iter().map(|t| format!("ONLY {}", t.name)).collect();
    doing.query("SAVEPOINT pghaul_table", &[]).await?;
    let lock = format!("LOCK TABLE {} IN ACCESS SHARE MODE", names.join(", "));
    if let Err(error) = doing.query(&lock, &[]).await {
        let failure = Failure::from(error);
        // A broken connection can't be rolled back, and its error says more than this one would.
        if !session.is_closed() {
            unlock(session).await?;
        }
        return Err(failure);
    }
    Ok(())
}

/// Gives the locks of [`lock`] back; the transaction, and its snapshot, go on.
///
/// # Errors
/// When the connection is lost.
pub async fn unlock<R: Right>(session: &Session<Source, R>) -> Result<(), Failure> {
    session
        .doing("unlock the tables")
        .query("ROLLBACK TO SAVEPOINT pghaul_table", &[])
        .await?;
    Ok(())
}

/// Which of the tables were truncated, rewritten or dropped since their file nodes were read: a snapshot sees
/// them empty. Call it with the tables locked. Returns their places in the list.
///
/// # Errors
/// When the source can't be asked.
pub async fn rewritten<R: Right>(
    session: &Session<Source, R>,
    tables: &[&Table],
) -> Result<BTreeSet<usize>, Failure> {
    let oids: Vec<u32> = tables.iter().map(|t| t.oid).collect();
    let sql = "SELECT oid, pg_catalog.pg_relation_filenode(oid) FROM pg_catalog.unnest($1::oid[]) AS t (oid)";
    let doing = session.doing("look whether tables were rewritten");
    let rows = doing.query(sql, &[&oids]).await?;
    let now: BTreeMap<u32, Option<u32>> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let changed = |t: &Table| now.get(&t.oid).copied().flatten() != Some(t.file_node);
    let places = tables.iter().enumerate().filter(|(_, t)| changed(t));
    Ok(places.map(|(place, _)| place).collect())
}
