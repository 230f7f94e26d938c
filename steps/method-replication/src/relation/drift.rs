//! Whether the tables are still the ones that were published and copied, and made of the same columns.
//!
//! Names alone don't tell: two tables can swap theirs, and a partition that leaves its tree keeps it. So each table is
//! compared by oid, by its way through the publication, and by its columns with what the journal knows of it. Journals of
//! programs that did not note that are compared by names, and by what both sides are now.

use super::computed::{Computed, OlderRows, computed, older_rows};
use super::{Baseline, Relation, Tables};
use pghaul_contracts::{Column, FollowedTable};
use pghaul_step::postgres::QualifiedName;
use pghaul_step::{Code, DatabaseName, Failure, Route, Side, TableClass, TablePlan, failures, plan};
use plan::RelationKind;
use std::collections::BTreeSet;

/// What the journal knows of the tables.
#[derive(Debug, Clone, Default)]
pub(crate) struct Then {
    /// When the publications were created; none in journals of older programs.
    pub(crate) source: Option<Baseline>,
    /// When the subscriptions were created; none in journals of older programs.
    pub(crate) target: Option<Baseline>,
    /// The numbers of tables that pghaul itself has taken out of a publication and put back, for the target's workers to
    /// copy.
    pub(crate) put_back: BTreeSet<u32>,
}

impl Then {
    /// Whether a table is one that was known, whatever it is called now: then it is named as that.
    pub(crate) fn knows(&self, side: Side, now: Option<&Relation>) -> bool {
        let then = match side {
            Side::Source => self.source.as_ref(),
            Side::Target => self.target.as_ref(),
        };
        let oids = then.into_iter().flatten().map(|(_, relation)| relation.oid);
        now.is_some_and(|now| oids.into_iter().any(|oid| oid == now.oid))
    }
}

/// Everything that is compared.
pub(crate) struct Comparison<'a> {
    pub(crate) database: &'a DatabaseName,
    pub(crate) tables: &'a [TablePlan],
    pub(crate) route: Route,
    /// Whether TRUNCATE of any table is replicated: not before PostgreSQL 11.
    pub(crate) sends_truncate: bool,
    pub(crate) then: &'a Then,
    pub(crate) source: &'a Tables,
    pub(crate) target: &'a Tables,
}

/// Whether changes of the table are to be replicated.
pub(crate) fn is_followed(table: &TablePlan) -> bool {
    table.class == TableClass::Replicate
        && matches!(table.kind, RelationKind::Table | RelationKind::PartitionedTable)
}

/// Everything that makes rows differ, or may have.
pub(crate) fn judge(comparison: &Comparison<'_>) -> Vec<Failure> {
    let tables = comparison.tables.iter();
    let moved = tables.filter(|t| is_followed(t) || t.copied_by_us(comparison.route));
    moved
        .filter_map(|table| {
            OneTable {
                all: comparison,
                table,
            }
            .judge()
        })
        .collect()
}

/// One table of a comparison.
struct OneTable<'a> {
    all: &'a Comparison<'a>,
    table: &'a TablePlan,
}

impl OneTable<'_> {
    fn then_on_source(&self) -> Option<&FollowedTable> {
        self.all.then.source.as_ref()?.get(&self.table.number)
    }

    fn then_on_target(&self) -> Option<&FollowedTable> {
        self.all.then.target.as_ref()?.get(&self.table.number)
    }

    fn judge(&self) -> Option<Failure> {
        let source = self.all.source.get(&self.table.name);
        let target = self.all.target.get(&self.table.name);
        if is_followed(self.table)
            && let Some(problem) = self
                .identity(Side::Source, source)
                .or_else(|| self.identity(Side::Target, target))
        {
            return Some(problem);
        }
        match (source, target) {
            (None, None) => None,
            (None, Some(_)) => Some(self.dropped_on_source()),
            (Some(_), None) => Some(self.dropped_on_target()),
            (Some(source), Some(target)) => self
                .publication(source)
                .or_else(|| self.on_target(target))
                .or_else(|| self.columns(source, target))
                .or_else(|| self.rows(source, target)),
        }
    }

    fn failure(&self, code: Code, side: Side, message: String) -> Failure {
        Failure::new(code, message)
            .with_side(side)
            .with_hint(failures::copied_anew(self.all.database))
    }

    fn restart(&self, before: &str, after: &str) -> String {
        format!("{before}{}{after}", failures::restart_data(self.all.database))
    }

    /// Whether the table of this name is the one that it was.
    fn identity(&self, side: Side, now: Option<&Relation>) -> Option<Failure> {
        let (then, tables) = match side {
            Side::Source => (self.then_on_source()?, self.all.source),
            Side::Target => (self.then_on_target()?, self.all.target),
        };
        if now.is_some_and(|now| now.oid == then.oid) {
            return None;
        }
        let name = &self.table.name;
        match (tables.name_of(then.oid), now) {
            (Some(other), None) => Some(
                self.failure(
                    Code::TableRenamed,
                    side,
                    format!("table {name} is called {} on the {side} now", other),
                )
                .with_hint(format!(
                    "changes are applied by name: give it back its name and schema, and run again; where it was written to meanwhile, {}; create no table of the other name on the target: these changes would go there, or nowhere",
                    self.restart("`", "` copies everything again")
                )),
            ),
            (Some(other), Some(_)) => Some(
                self.failure(
                    Code::TablesExchanged,
                    side,
                    format!(
                        "what is called {name} on the {side} now is another table than before: that one is called {} now",
                        other
                    ),
                )
                .with_hint(format!(
                    "changes are applied by name, and may be in the wrong table: give the tables back their names where that was a mistake; then {}",
                    self.restart("`", "` discards what was copied of this database and copies it again")
                )),
            ),
            (None, Some(_)) => Some(self.failure(
                Code::TableRecreated,
                side,
                format!("table {name} was dropped and created again on the {side}"),
            )),
            (None, None) => None,
        }
    }

    fn dropped_on_source(&self) -> Failure {
        let name = &self.table.name;
        let message = format!("table {name} is gone from the source, and still on the target");
        self.failure(Code::TableDropped, Side::Source, message).with_hint(format!(
            "where its rows are needed, they are still on the target: create it again on the source with them, then {}; where nobody needs them, drop it on the target too, and run again",
            failures::BEGIN_ANEW
        ))
    }

    fn dropped_on_target(&self) -> Failure {
        let message = format!("table {} is gone from the target", self.table.name);
        self.failure(Code::StateLost, Side::Target, message)
            .with_hint(self.restart(
                "where it was renamed there, give it back its name and run again; where it was dropped, create it there as it is on the source, and `",
                "` copies everything again",
            ))
    }

    /// How the changes of the table are published.
    fn publication(&self, source: &Relation) -> Option<Failure> {
        if !is_followed(self.table) {
            return None;
        }
        let name = &self.table.name;
        let expected = self.table.root.unwrap_or(self.table.number);
        let root = self.all.tables.iter().find(|t| t.number == expected);
        let root = root.map(|t| &t.name);
        let of_tree = self.table.root.is_some();
        let root_name = root.map(ToString::to_string).unwrap_or_default();
        if source.now.unlogged {
            let message =
                format!("table {name} is unlogged on the source now: its changes are not published");
            return Some(self.failure(Code::PublicationChanged, Side::Source, message));
        }
        let Some(now) = &source.publication else {
            if of_tree {
                let message = format!(
                    "partition {name} is detached from {root_name} on the source: its changes are not published"
                );
                return Some(self.detached(message, source));
            }
            let message = format!(
                "table {name} is not in pghaul's publication any more: its changes are not published"
            );
            return Some(self.failure(Code::PublicationChanged, Side::Source, message));
        };
        let published_as = self.all.source.name_of(now.root);
        if published_as != root {
            let published_as = published_as.map(ToString::to_string).unwrap_or_default();
            if of_tree {
                let message = format!(
                    "partition {name} is detached from {root_name} on the source: its changes are published as those of {published_as}"
                );
                return Some(self.detached(message, source));
            }
            let message = format!(
                "table {name} was attached to {published_as} on the source: its changes are published as those of {published_as}"
            );
            return Some(
                self.failure(Code::PartitionAttached, Side::Source, message)
                    .with_hint(self.restart(
                        "detach it again, then `",
                        "` discards what was copied of this database and copies it again",
                    )),
            );
        }
        let then = self.then_on_source()?.publication.as_ref()?;
        if then.links != now.links {
            let message = format!(
                "partition {name} was detached from its tree on the source and attached again: changes in between were not published"
            );
            return Some(self.failure(Code::PartitionDetached, Side::Source, message));
        }
        if then.member != now.member && !self.all.then.put_back.contains(&expected) {
            let message = format!(
                "table {root_name} was taken out of pghaul's publication and put back: changes in between were not published"
            );
            return Some(self.failure(Code::PublicationChanged, Side::Source, message));
        }
        None
    }

    fn detached(&self, message: String, source: &Relation) -> Failure {
        let before = if source.now.pending {
            "finish the detaching (ALTER TABLE … DETACH PARTITION … FINALIZE), attach the partition again, then `"
        } else {
            "attach the partition again, then `"
        };
        self.failure(Code::PartitionDetached, Side::Source, message).with_hint(
            self.restart(before, "` discards what was copied of this database and copies it again; or drop the partition on both sides"),
        )
    }

    /// Whether the target's table retains all rows, and shows them in its partition tree.
    fn on_target(&self, target: &Relation) -> Option<Failure> {
        if !is_followed(self.table) {
            return None;
        }
        let name = &self.table.name;
        if target.now.unlogged {
            let message =
                format!("table {name} is unlogged on the target: it is empty after a crash of the server");
            let quoted = QualifiedName::try_from(name).map_or_else(|_| name.to_string(), |name| name.short());
            let hint = self.restart(
                &format!("on the target: ALTER TABLE {quoted} SET LOGGED; then run again; where its server has crashed since, `"),
                "` copies everything again",
            );
            return Some(
                self.failure(Code::PlanChanged, Side::Target, message)
                    .with_hint(hint),
            );
        }
        let root = self
            .all
            .tables
            .iter()
            .find(|t| Some(t.number) == self.table.root)?;
        if self.all.target.name_of(target.now.topmost) == Some(&root.name) {
            return None;
        }
        let message = format!("partition {name} is not attached to {} on the target", root.name);
        let hint = self.restart(
            "attach the partition again there, and run again; where rows were changed meanwhile, `",
            "` copies everything again",
        );
        Some(
            self.failure(Code::PartitionDetached, Side::Target, message)
                .with_hint(hint),
        )
    }

    /// Whether both sides have the same columns, and still those that were copied.
    fn columns(&self, source: &Relation, target: &Relation) -> Option<Failure> {
        let name = &self.table.name;
        for Column(number, column, of_type, ..) in &source.columns {
            let Some(Column(on_target, _, type_on_target, ..)) = self::column(target, column) else {
                let message =
                    format!("column {column} of table {name} is on the source and not on the target");
                let hint = self.restart(
                    "where it is new on the source, add it to the target's table too, and run again; where it was renamed or dropped on the target, give it back its name, or add it again and `",
                    "` copies everything again",
                );
                return Some(
                    self.failure(Code::PlanChanged, Side::Target, message)
                        .with_hint(hint),
                );
            };
            let changed = |message: String, side| {
                let hint = self.restart(
                    "values that ALTER TABLE computed, or that were rounded, are not replicated: make the column the same on both sides, then `",
                    "` copies everything again",
                );
                Some(self.failure(Code::ColumnChanged, side, message).with_hint(hint))
            };
            if of_type != type_on_target {
                let message = format!(
                    "column {column} of table {name} is {of_type} on the source and {type_on_target} on the target"
                );
                return changed(message, Side::Source);
            }
            for (side, now, then, number) in [
                (Side::Source, source, self.then_on_source(), number),
                (Side::Target, target, self.then_on_target(), on_target),
            ] {
                let Some(Column(number_then, _, type_then, ..)) =
                    then.and_then(|then| self::column(then, column))
                else {
                    continue;
                };
                // Where the rows have stayed in their file, no value was computed.
                if of_type != type_then && then.is_some_and(|then| then.file != now.file) {
                    let message = format!(
                        "column {column} of table {name} was {type_then} on the {side} when it was copied, and is {of_type} now"
                    );
                    return changed(message, side);
                }
                if number != number_then {
                    let message = format!(
                        "column {column} of table {name} on the {side} is not the one that was copied: it was replaced, or renamed"
                    );
                    return changed(message, side);
                }
            }
        }
        None
    }

    /// Whether rows were changed by statements that are not replicated.
    fn rows(&self, source: &Relation, target: &Relation) -> Option<Failure> {
        let name = &self.table.name;
        for (side, now, then) in [
            (Side::Source, source, self.then_on_source()),
            (Side::Target, target, self.then_on_target()),
        ] {
            if then.is_some_and(|then| computed(now, then) == Computed::Yes) {
                let message = format!(
                    "table {name} was altered on the {side}, and its rows are in another file than when it was copied: values that ALTER TABLE computes are not replicated"
                );
                return Some(self.failure(Code::TableRewritten, side, message));
            }
        }
        let (then, then_on_target) = (self.then_on_source()?, self.then_on_target()?);
        if let OlderRows::Different(column) = older_rows((source, then), (target, then_on_target)) {
            let message = format!(
                "column {column} of table {name} was added with different values for the rows that were there, on the source and on the target"
            );
            return Some(self.failure(Code::ColumnChanged, Side::Target, message));
        }
        let emptied_on_source = source.file != then.file;
        let emptied_on_target = target.file != then_on_target.file;
        if emptied_on_target && !emptied_on_source && target.now.without_pages && source.now.has_rows {
            let message = format!("table {name} was emptied on the target (TRUNCATE), and not on the source");
            return Some(self.failure(Code::TableRewritten, Side::Target, message));
        }
        let emptied_on_target = emptied_on_target && !(source.now.without_pages && target.now.has_rows);
        let alone = self.table.root.is_none() && self.all.sends_truncate;
        if !alone && emptied_on_source && !emptied_on_target {
            let why = if self.table.root.is_some() {
                "TRUNCATE of a single partition is not replicated"
            } else {
                "TRUNCATE is not replicated by PostgreSQL 10"
            };
            let message = format!(
                "the rows of table {name} are in another file on the source than when it was published: {why}"
            );
            return Some(self.failure(Code::TableRewritten, Side::Source, message).with_hint(
                self.restart(
                    "VACUUM FULL and CLUSTER look the same: do on the target what was done on the source, TRUNCATE or VACUUM FULL, and run again; otherwise `",
                    "` discards what was copied of this database and copies it again",
                ),
            ));
        }
        None
    }
}

fn column<'a>(table: &'a FollowedTable, name: &str) -> Option<&'a Column> {
    table.columns.iter().find(|Column(_, n, ..)| n == name)
}
