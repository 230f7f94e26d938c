//! Tables of which only the user knows whether their rows are the same on both sides.

use super::computed::{Computed, OlderRows, computed, older_rows, retyped};
use super::drift::{Comparison, is_followed};
use pghaul_step::{DatabaseName, Incomplete, TablePlan};

/// What may have made values differ.
enum Doubt<'a> {
    /// ALTER TABLE may have computed those of this column.
    Computed(&'a str),
    /// The type of this column was another one when they were copied, and is the same on both sides. One side had it first.
    Retyped(&'a str),
    /// Both sides have put them into another file: by VACUUM FULL, or by a TRUNCATE that is not replicated.
    Moved,
}

/// Tables of which only the user knows.
///
/// Nothing is asked of the target's own file: the same change on both sides, and a TRUNCATE that was replicated, look like
/// this.
pub(crate) fn in_doubt(comparison: &Comparison<'_>) -> Vec<Incomplete> {
    let tables = comparison.tables.iter().filter(|table| is_followed(table));
    let found = tables.filter_map(|table| Some((table, doubt(comparison, table)?)));
    found
        .map(|(table, doubt)| incomplete(comparison.database, table, &doubt))
        .collect()
}

fn doubt<'a>(comparison: &Comparison<'a>, table: &TablePlan) -> Option<Doubt<'a>> {
    let then = comparison.then.source.as_ref()?.get(&table.number)?;
    let source = comparison.source.get(&table.name)?;
    match computed(source, then) {
        Computed::Perhaps(column) => return Some(Doubt::Computed(column)),
        Computed::Yes => return None,
        Computed::No => {}
    }
    let then_on_target = comparison.then.target.as_ref()?.get(&table.number)?;
    let target = comparison.target.get(&table.name)?;
    match older_rows((source, then), (target, then_on_target)) {
        OlderRows::Unknown(column) => Some(Doubt::Computed(column)),
        // Of a partitioned table, each partition tells.
        OlderRows::Same if source.file.is_some() => {
            let both_moved = source.file != then.file && target.file != then_on_target.file;
            let moved = (both_moved && !may_be_replicated(comparison, table)).then_some(Doubt::Moved);
            retyped(source, then).map(Doubt::Retyped).or(moved)
        }
        OlderRows::Same | OlderRows::Different(_) => None,
    }
}

/// Whether a TRUNCATE of the table may have been replicated: of one that is published by itself, or of a whole tree, of which no
/// partition has kept its file.
fn may_be_replicated(comparison: &Comparison<'_>, table: &TablePlan) -> bool {
    if table.root.is_none() {
        return comparison.sends_truncate;
    }
    let then = comparison.then.source.as_ref();
    let has_moved = |other: &TablePlan| {
        let then = then.and_then(|then| then.get(&other.number));
        let now = comparison.source.get(&other.name);
        then.zip(now)
            .is_none_or(|(then, now)| now.file.is_none() || now.file != then.file)
    };
    let tree = comparison.tables.iter().filter(|other| other.root == table.root);
    tree.into_iter().all(has_moved)
}

fn incomplete(database: &DatabaseName, table: &TablePlan, doubt: &Doubt<'_>) -> Incomplete {
    let why = match doubt {
        Doubt::Computed(column) => format!(
            "are in another file than when they were copied, and column {column} was altered or added: accept them where no ALTER TABLE has computed its values (TYPE … USING, a volatile default), but TRUNCATE, VACUUM FULL or CLUSTER has moved the rows; where one has, its values are not replicated, and `pghaul run --restart-data {database}` copies again"
        ),
        Doubt::Retyped(column) => format!(
            "had another type in column {column} when they were copied: accept them where the target's column was altered first, or nothing was written meanwhile that its old type has rounded or cut off; otherwise `pghaul run --restart-data {database}` copies again"
        ),
        Doubt::Moved => format!(
            "are in other files on both sides than when they were copied: accept them where the same was done on both, VACUUM FULL, CLUSTER or TRUNCATE; TRUNCATE of this table alone is not replicated, and where the target still has its rows, `pghaul run --restart-data {database}` copies again"
        ),
    };
    Incomplete {
        object: format!("rows of table {}", table.name),
        why,
        ..Incomplete::default()
    }
}
