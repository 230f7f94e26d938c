//! Whether the target's tables still are what was copied into them.
//!
//! Whoever drops a table or a column there in the middle of a migration takes values away that nobody misses: a copy
//! is past it, and a worker only fails when a change of that table arrives. So the proof of each method looks.

use crate::session::{Doing, Right};
use pghaul_core::plan::{DatabasePlan, RelationKind, Route, TableClass, TablePlan};
use pghaul_core::{Failure, TableName, failures};
use std::collections::BTreeMap;

/// The tables of a database and their columns.
#[derive(Debug, Clone, Default)]
pub struct Columns(BTreeMap<TableName, Vec<String>>);

impl Columns {
    /// Reads those of every table.
    ///
    /// # Errors
    /// When the server can't be asked.
    pub async fn read<R: Right>(doing: &Doing<'_, R>) -> Result<Self, Failure> {
        let rows = doing.query(include_str!("columns.sql"), &[]).await?;
        let tables = rows.iter().map(|row| {
            (
                TableName::new(row.get::<_, String>("schema"), row.get::<_, String>("name")),
                row.get("columns"),
            )
        });
        Ok(Self(tables.collect()))
    }

    /// Whether there is a table of this name.
    pub fn has(&self, name: &TableName) -> bool {
        self.0.contains_key(name)
    }

    /// What the source has of the planned tables and the target, of which these are the columns, has not. More on
    /// the target is nobody's loss, and a table that is gone from the source is none of its columns.
    pub fn lacking(&self, source: &Self, plan: &DatabasePlan, route: Route) -> Vec<Failure> {
        let ours = plan
            .tables
            .iter()
            .filter(|t| t.class == TableClass::Replicate || t.copied_by_us(route));
        let replicated = (route != Route::Dump).then_some(&plan.database);
        ours.filter_map(|table| {
            Some(match self.lacks(source, &table.name)? {
                Lack::Table => failures::target_table_gone(&table.name, replicated),
                Lack::Column(column) => failures::target_column_gone(&table.name, &column, replicated),
            })
        })
        .collect()
    }

    /// What the source, of which these are the columns, no longer has of the planned tables. Of columns only those are missed
    /// that the target has.
    pub fn lost_since_the_plan(&self, target: &Self, plan: &DatabasePlan) -> Option<Failure> {
        let read =
            |table: &&TablePlan| matches!(table.kind, RelationKind::Table | RelationKind::PartitionedTable);
        plan.tables
            .iter()
            .filter(read)
            .find_map(|TablePlan { name, .. }| {
                let message = match self.lacks(target, name) {
                    _ if !self.0.contains_key(name) => format!("table {name} is gone from the source"),
                    Some(Lack::Column(column)) => {
                        format!("column {column} of table {name} is gone from the source")
                    }
                    _ => return None,
                };
                Some(failures::source_changed(message))
            })
    }

    /// What another server has of a table that this one has not.
    fn lacks(&self, other: &Self, name: &TableName) -> Option<Lack> {
        let expected = other.0.get(name)?;
        let Some(found) = self.0.get(name) else {
            return Some(Lack::Table);
        };
        let column = expected.iter().find(|column| !found.contains(column))?;
        Some(Lack::Column(column.clone()))
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Lack {
    Table,
    Column(String),
}

#[cfg(test)]
mod tests {
    use super::{Columns, Lack};
    use pghaul_core::TableName;

    fn table(columns: &[&str]) -> Columns {
        let columns = columns.iter().map(|&column| column.to_owned()).collect();
        Columns([(TableName::new("public", "t"), columns)].into())
    }

    #[test]
    fn what_a_server_lacks_is_named() {
        let lacks = |target: &Columns, source: &Columns| target.lacks(source, &TableName::new("public", "t"));
        let source = table(&["id", "word"]);
        assert_eq!(lacks(&table(&["word", "more", "id"]), &source), None);
        assert_eq!(lacks(&Columns::default(), &Columns::default()), None);
        assert_eq!(
            lacks(&table(&["id"]), &source),
            Some(Lack::Column("word".to_owned()))
        );
        assert_eq!(lacks(&Columns::default(), &source), Some(Lack::Table));
    }
}
