//! Whether the target's tables still are what was copied into them.
//!
//! Whoever drops a table or a column there in the middle of a migration takes values away that nobody misses: a copy
//! is past it, and a worker only fails when a change of that table arrives. So the proof of each method looks.

use crate::context::Context;
use crate::scope::Database;
use pghaul_core::plan::TableClass;
use pghaul_core::{Code, Failure, Side, TableName};
use pghaul_postgres::{Doing, Right};
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

    /// What the source has of the planned tables and the target, of which these are the columns, has not. More on
    /// the target is nobody's loss, and a table that is gone from the source is none of its columns.
    pub fn lacking(&self, source: &Self, ctx: &Context<Database>) -> Vec<Failure> {
        let ours = ctx
            .plan()
            .tables
            .iter()
            .filter(|t| t.class == TableClass::Replicate || t.copied_by_us(ctx.route()));
        ours.filter_map(|table| self.lacks(source, &table.name)).collect()
    }

    fn lacks(&self, source: &Self, name: &TableName) -> Option<Failure> {
        let expected = source.0.get(name)?;
        let Some(found) = self.0.get(name) else {
            let message = format!("table {name} is gone from the target");
            let hint = "somebody has dropped or renamed it there, and its rows are lost: remove this migration with --force, drop the target database, and begin anew";
            return Some(failure(Code::StateLost, message, hint));
        };
        let column = expected.iter().find(|column| !found.contains(column))?;
        let message = format!("column {column} of table {name} is on the source and not on the target");
        let hint = "where it is new on the source, add it to the target's table too, and run again; where somebody has dropped or renamed it on the target, its values are lost: remove this migration with --force, drop the target database, and begin anew";
        Some(failure(Code::PlanChanged, message, hint))
    }
}

fn failure(code: Code, message: String, hint: &str) -> Failure {
    Failure::new(code, message)
        .with_side(Side::Target)
        .with_hint(hint)
}

#[cfg(test)]
mod tests {
    use super::Columns;
    use pghaul_core::{Code, TableName};

    fn table(columns: &[&str]) -> Columns {
        let columns = columns.iter().map(|&column| column.to_owned()).collect();
        Columns([(TableName::new("public", "t"), columns)].into())
    }

    #[test]
    fn what_the_target_lacks_is_named() {
        let lacks = |target: &Columns, source: &Columns| {
            let found = target.lacks(source, &TableName::new("public", "t"));
            found.map(|failure| (failure.code, failure.message))
        };
        let source = table(&["id", "word"]);
        assert_eq!(lacks(&table(&["word", "more", "id"]), &source), None);
        assert_eq!(lacks(&Columns::default(), &Columns::default()), None);
        let (code, message) = lacks(&table(&["id"]), &source).expect("a column is missing");
        assert_eq!(code, Code::PlanChanged);
        assert!(message.starts_with("column word of table public.t "), "{message}");
        let (code, message) = lacks(&Columns::default(), &source).expect("the table is missing");
        assert_eq!(code, Code::StateLost);
        assert!(message.starts_with("table public.t "), "{message}");
    }
}
