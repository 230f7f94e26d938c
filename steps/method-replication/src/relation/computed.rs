//! Values that ALTER TABLE may have computed: `ALTER COLUMN … TYPE … USING`, and a new column with a volatile default.
//!
//! They are not replicated. Both put the rows into another file, and alter the catalog's row of the column. TRUNCATE, VACUUM FULL
//! and CLUSTER do the first alone; a new default or privilege the second alone. Where both have happened, only the user knows
//! whether by one statement.

use super::{ColumnDefault, Relation};
use pghaul_contracts::{Column, FollowedTable};

/// What the catalogs tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Computed<'a> {
    No,
    /// The values of this column, or nothing.
    Perhaps(&'a str),
    Yes,
}

/// Whether a statement has computed values since then.
pub(super) fn computed<'a>(now: &'a Relation, then: &FollowedTable) -> Computed<'a> {
    if now.file == then.file {
        return Computed::No;
    }
    let columns = now.columns.iter().enumerate();
    let of_columns = columns.map(|(place, is)| match column(then, &is.1) {
        Some(was) => of_known(was, is, now, place),
        None => of_new(is, now, place),
    });
    of_columns.max().unwrap_or(Computed::No)
}

/// A column that was there: whether the version of its row is another one, and what else explains that.
fn of_known<'a>(was: &Column, is: &'a Column, now: &Relation, place: usize) -> Computed<'a> {
    let options_differ = was.4.is_some() && was.4 != is.4;
    // With a type goes the default, which is made anew.
    let default_made_anew = options_differ && was.5.is_some() && was.5 == is.5;
    match (was.3, is.3) {
        (_, None) if was.3.is_none() => Computed::No,
        (was, is) if was == is => Computed::No,
        _ if default_made_anew => Computed::Yes,
        // The transaction that changed the option has put the rows into another file.
        (_, is) if options_differ && is == Some(now.now.version) => Computed::Yes,
        _ if options_differ => Computed::Perhaps(&is.1),
        // VACUUM FULL has written what only the catalog knew. ALTER would have made the default anew.
        (None, _) if now.default_at(place) != ColumnDefault::None => Computed::No,
        (None, _) => Computed::Perhaps(&is.1),
        _ => Computed::Yes,
    }
}

/// A column that was not there. The catalog has a value for older rows until they are in another file, unless it was computed for
/// each row; PostgreSQL 10 never has.
fn of_new<'a>(is: &'a Column, now: &Relation, place: usize) -> Computed<'a> {
    match now.default_at(place) {
        _ if now.is_generated(place) || now.missing_at(place).is_some() => Computed::No,
        ColumnDefault::None => Computed::No,
        ColumnDefault::Constant => Computed::Perhaps(&is.1),
        ColumnDefault::Computed => Computed::Yes,
    }
}

/// What older rows have in a new column, on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OlderRows<'a> {
    Same,
    /// One side's rows have been put into another file since, and the catalog no longer tells.
    Unknown(&'a str),
    Different(&'a str),
}

/// Compares the columns that both sides have now, and the source had not then.
pub(super) fn older_rows<'a>(
    (source, then): (&'a Relation, &FollowedTable),
    (target, then_on_target): (&Relation, &FollowedTable),
) -> OlderRows<'a> {
    let mut found = OlderRows::Same;
    for (place, Column(_, name, ..)) in source.columns.iter().enumerate() {
        if column(then, name).is_some() || source.is_generated(place) {
            continue;
        }
        let Some(on_target) = target.columns.iter().position(|Column(_, n, ..)| n == name) else {
            continue;
        };
        let (here, there) = (source.missing_at(place), target.missing_at(on_target));
        let lost = here.is_none() && source.file != then.file
            || there.is_none() && target.file != then_on_target.file;
        match here == there {
            true => {}
            false if lost => found = OlderRows::Unknown(name),
            false => return OlderRows::Different(name),
        }
    }
    found
}

/// A column whose type was another one then.
pub(super) fn retyped<'a>(now: &'a Relation, then: &FollowedTable) -> Option<&'a str> {
    let mut columns = now.columns.iter();
    let found = columns.find(|is| column(then, &is.1).is_some_and(|was| was.2 != is.2))?;
    Some(found.1.as_str())
}

fn column<'a>(table: &'a FollowedTable, name: &str) -> Option<&'a Column> {
    table.columns.iter().find(|Column(_, n, ..)| n == name)
}
