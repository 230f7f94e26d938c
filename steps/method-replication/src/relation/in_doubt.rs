//! Tables of which only the user knows whether their rows are the same on both sides.

use super::computed::{Computed, OlderRows, computed, older_rows};
use super::drift::{Comparison, is_followed};
use pghaul_step::{DatabaseName, Incomplete, TablePlan};

/// Tables whose values ALTER TABLE may have computed.
///
/// On the target alone nothing is asked: the same change on both sides, and a TRUNCATE that was replicated, look like this.
pub(crate) fn perhaps_computed(comparison: &Comparison<'_>) -> Vec<Incomplete> {
    let tables = comparison.tables.iter().filter(|table| is_followed(table));
    let found = tables.filter_map(|table| Some((table, column_in_doubt(comparison, table)?)));
    found
        .map(|(table, column)| incomplete(comparison.database, table, column))
        .collect()
}

fn column_in_doubt<'a>(comparison: &Comparison<'a>, table: &TablePlan) -> Option<&'a str> {
    let then = comparison.then.source.as_ref()?.get(&table.number)?;
    let source = comparison.source.get(&table.name)?;
    match computed(source, then) {
        Computed::Perhaps(column) => return Some(column),
        Computed::Yes => return None,
        Computed::No => {}
    }
    let then_on_target = comparison.then.target.as_ref()?.get(&table.number)?;
    let target = comparison.target.get(&table.name)?;
    match older_rows((source, then), (target, then_on_target)) {
        OlderRows::Unknown(column) => Some(column),
        OlderRows::Same | OlderRows::Different(_) => None,
    }
}

fn incomplete(database: &DatabaseName, table: &TablePlan, column: &str) -> Incomplete {
    Incomplete {
        object: format!("rows of table {}", table.name),
        why: format!(
            "are in another file than when they were copied, and column {column} was altered or added: accept them where no ALTER TABLE has computed its values (TYPE … USING, a volatile default), but TRUNCATE, VACUUM FULL or CLUSTER has moved the rows; where one has, its values are not replicated, and `pghaul run --restart-data {database}` copies again"
        ),
        ..Incomplete::default()
    }
}
