//! What is in a database.

use super::servers::DATABASE;
use pghaul_testkit::Cluster;

/// Names come with their schema, whatever else would be visible.
const SESSION: &str = "set search_path = '';\n";

/// One table.
#[derive(Debug, Clone)]
pub(super) struct Table {
    /// Schema and name, quoted.
    pub(super) name: String,
    /// Bytes of its rows, TOAST included, indexes not.
    pub(super) bytes: u64,
    /// Pages of its heap.
    pub(super) pages: u64,
}

/// An index, as a floor would make it.
#[derive(Debug, Clone)]
pub(super) struct Index {
    /// The table it belongs to, as in [`Table::name`].
    pub(super) table: String,
    /// `CREATE INDEX`, of a constraint's index too.
    pub(super) create: String,
    /// `ALTER TABLE` that makes the index a constraint's; empty where there is none.
    pub(super) adopt: String,
    /// `ALTER TABLE` that makes constraint and index at once; empty where there is no constraint.
    pub(super) add: String,
}

/// All tables, largest first.
pub(super) fn tables(cluster: &Cluster) -> Vec<Table> {
    let number = |text: &str| text.parse().expect("a number");
    let rows = query(cluster, include_str!("tables.sql")).into_iter();
    rows.map(|[name, bytes, pages]| Table {
        name,
        bytes: number(&bytes),
        pages: number(&pages),
    })
    .collect()
}

/// All indexes, largest first.
pub(super) fn indexes(cluster: &Cluster) -> Vec<Index> {
    let rows = query(cluster, include_str!("indexes.sql")).into_iter();
    rows.map(|[table, create, adopt, add]| Index {
        table,
        create,
        adopt,
        add,
    })
    .collect()
}

/// `ALTER TABLE` for every foreign key, those of the largest tables first.
pub(super) fn foreign_keys(cluster: &Cluster) -> Vec<String> {
    let rows = query(cluster, include_str!("foreign_keys.sql")).into_iter();
    rows.map(|[add]| add).collect()
}

/// The place of the row in the middle of a table.
pub(super) fn middle(cluster: &Cluster, table: &str) -> Option<String> {
    let sql =
        format!("select ctid from {table} order by ctid offset (select count(*) / 2 from {table}) limit 1");
    let rows = query(cluster, &sql).into_iter();
    rows.map(|[ctid]| ctid).next()
}

fn query<const N: usize>(cluster: &Cluster, sql: &str) -> Vec<[String; N]> {
    let rows = cluster.rows(DATABASE, &format!("{SESSION}{sql}")).into_iter();
    rows.map(|row| row.try_into().expect("the columns that were asked for"))
        .collect()
}
