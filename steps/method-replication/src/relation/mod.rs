//! The tables of one side as replication sees them, and whether they still are the ones that were published and copied.

mod computed;
mod drift;
mod in_doubt;
mod partition;
mod renamed;

pub(crate) use drift::{Comparison, Then, judge};
pub(crate) use in_doubt::in_doubt;
pub(crate) use partition::NewPartition;
pub(crate) use renamed::renamed_and_back;

use pghaul_contracts::{Column, FollowedTable, Membership, NameVersion};
use pghaul_step::postgres::{Right, Row, Session, SideMarker};
use pghaul_step::{Context, Database, Failure, TableName, TablePlan};
use std::collections::BTreeMap;
use std::ops::Deref;

/// A table at this moment.
#[derive(Debug, Clone)]
pub(crate) struct Relation {
    /// What the journal holds of it when it is noted.
    pub(crate) noted: FollowedTable,
    /// What is compared between the two sides of one moment.
    now: Now,
}

impl Deref for Relation {
    type Target = FollowedTable;

    fn deref(&self) -> &FollowedTable {
        &self.noted
    }
}

/// More of a table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Now {
    /// The version (`xmin`) of its row in `pg_class`: the same as that of a column's row where one statement has written both.
    version: i64,
    unlogged: bool,
    /// The catalog knows of no page: so it is after TRUNCATE, until VACUUM or ANALYZE has looked, and for tables without rows.
    without_pages: bool,
    /// The server has counted more rows than were deleted.
    has_rows: bool,
    /// DETACH PARTITION … CONCURRENTLY has begun and not ended.
    pending: bool,
    /// The oid of the topmost table of its partition tree: its own where it is no partition.
    topmost: u32,
    /// Triggers that fire for replicated changes: ENABLE ALWAYS or REPLICA.
    firing: Vec<String>,
    /// Of each column, whether it is generated.
    generated: Vec<bool>,
    /// Of each column.
    defaults: Vec<ColumnDefault>,
    /// Of each column, the value of rows that are older than it (`attmissingval`). Never shown.
    missing: Vec<Option<String>>,
}

/// What a column has in rows that do not name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ColumnDefault {
    None,
    /// The same value for each row.
    Constant,
    /// An expression, which may be volatile, or an identity.
    Computed,
}

impl Relation {
    fn default_at(&self, place: usize) -> ColumnDefault {
        let default = self.now.defaults.get(place).copied();
        default.unwrap_or(ColumnDefault::Computed)
    }

    fn is_generated(&self, place: usize) -> bool {
        self.now.generated.get(place).copied().unwrap_or(false)
    }

    /// What rows that are older than the column have in it, as long as only the catalog knows.
    fn missing_at(&self, place: usize) -> Option<&str> {
        self.now.missing.get(place)?.as_deref()
    }
}

/// Tables by the plan's numbers, as the journal has them.
pub(crate) type Baseline = BTreeMap<u32, FollowedTable>;

/// The tables of one side.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    by_name: BTreeMap<TableName, Relation>,
    names: BTreeMap<u32, TableName>,
}

impl Tables {
    /// Reads all tables of users, as publications with these names publish them.
    pub(crate) async fn read<S: SideMarker, R: Right>(
        session: &Session<S, R>,
        publications: &[&str],
    ) -> Result<Self, Failure> {
        let version = session.server_version();
        let known = |since: u32, expression: &'static str, otherwise: &'static str| {
            if version >= since { expression } else { otherwise }
        };
        let sql = include_str!("relations.sql")
            .replace("{pending}", known(140_000, "i.inhdetachpending", "false"))
            .replace("{generated}", known(120_000, "(a.attgenerated <> '')", "false"))
            .replace("{missing}", known(110_000, "a.attmissingval::text", "NULL::text"))
            .replace("{has_missing}", known(110_000, "a.atthasmissing", "false"));
        let doing = session.doing("read the tables");
        let rows = doing.query(&sql, &[&publications]).await?;
        Ok(Self::of(rows.iter().map(relation)))
    }

    fn of(relations: impl Iterator<Item = (TableName, Relation)>) -> Self {
        let by_name: BTreeMap<TableName, Relation> = relations.collect();
        let names = by_name
            .iter()
            .map(|(name, relation)| (relation.oid, name.clone()))
            .collect();
        Self { by_name, names }
    }

    /// The table of this name.
    pub(crate) fn get(&self, name: &TableName) -> Option<&Relation> {
        self.by_name.get(name)
    }

    /// The names of all tables.
    pub(crate) fn names(&self) -> impl Iterator<Item = &TableName> {
        self.by_name.keys()
    }

    /// The name that the table with an oid has now.
    fn name_of(&self, oid: u32) -> Option<&TableName> {
        self.names.get(&oid)
    }

    /// Triggers of the planned tables that fire for the changes that are applied.
    pub(crate) fn firing<'a>(&'a self, tables: &'a [TablePlan]) -> impl Iterator<Item = &'a str> {
        let followed = tables.iter().filter(|table| drift::is_followed(table));
        let found = followed.filter_map(|table| self.get(&table.name));
        found.flat_map(|table| &table.now.firing).map(String::as_str)
    }

    /// The planned tables whose changes are replicated, for the journal.
    pub(crate) fn baseline(&self, ctx: &Context<Database>) -> Baseline {
        let tables = ctx.plan().tables.iter().filter(|table| drift::is_followed(table));
        tables
            .filter_map(|table| Some((table.number, self.get(&table.name)?.noted.clone())))
            .collect()
    }
}

fn relation(row: &Row) -> (TableName, Relation) {
    let root: Option<u32> = row.get("root");
    let membership = root.map(|root| Membership {
        root,
        member: row.get("member"),
        links: row.get("links"),
    });
    // A table may have no columns.
    let numbers: Vec<i16> = row.get::<_, Option<_>>("numbers").unwrap_or_default();
    let names: Vec<String> = row.get::<_, Option<_>>("names").unwrap_or_default();
    let types: Vec<String> = row.get::<_, Option<_>>("types").unwrap_or_default();
    let versions: Vec<Option<i64>> = row.get::<_, Option<_>>("versions").unwrap_or_default();
    let options: Vec<Option<String>> = row.get::<_, Option<_>>("options").unwrap_or_default();
    let meanings: Vec<Option<String>> = row.get::<_, Option<_>>("meanings").unwrap_or_default();
    let defaults: Vec<String> = row.get::<_, Option<_>>("defaults").unwrap_or_default();
    let columns = numbers
        .into_iter()
        .zip(names)
        .zip(types)
        .zip(versions)
        .zip(options)
        .zip(meanings);
    let noted = FollowedTable {
        oid: row.get("oid"),
        file: row.get("file"),
        publication: membership,
        columns: columns
            .map(|(((((number, name), of_type), version), options), meaning)| {
                Column(number, name, of_type, version, options, meaning)
            })
            .collect(),
        named: Some((
            NameVersion(row.get("name_version"), row.get("name_options")),
            NameVersion(row.get("schema_version"), row.get("schema_options")),
        )),
    };
    let now = Now {
        version: row.get("version"),
        unlogged: row.get("unlogged"),
        without_pages: row.get("without_pages"),
        has_rows: row.get("has_rows"),
        pending: row.get("pending"),
        topmost: row.get("topmost"),
        firing: row.get::<_, Option<_>>("firing").unwrap_or_default(),
        generated: row.get::<_, Option<_>>("generated").unwrap_or_default(),
        defaults: defaults.iter().map(|default| default_of(default)).collect(),
        missing: row.get::<_, Option<_>>("missing").unwrap_or_default(),
    };
    let name = TableName::new(row.get::<_, String>("schema"), row.get::<_, String>("name"));
    (name, Relation { noted, now })
}

fn default_of(letter: &str) -> ColumnDefault {
    match letter {
        "n" => ColumnDefault::None,
        "c" => ColumnDefault::Constant,
        _ => ColumnDefault::Computed,
    }
}
