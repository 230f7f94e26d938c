//! What the crew is told of each table.

use crate::on_target::GuardedTable;
use pghaul_contracts::{CopiedTable, CopyItem};
use pghaul_copy::{Formats, Snapshot, Table};
use pghaul_step::plan::RelationKind;
use pghaul_step::postgres::{ReadOnly, ReadWrite, Right, Row, Session, Source, Target};
use pghaul_step::retry::patiently;
use pghaul_step::{Context, CopyFormat, Database, Failure, TableName, TablePlan, failures};
use std::collections::{BTreeMap, BTreeSet};

/// A table to be copied.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    /// Its number in the plan.
    pub(crate) number: u32,
    /// As the snapshot's catalogs have it.
    pub(crate) table: Table,
    /// The format of COPY.
    pub(crate) format: CopyFormat,
    /// The encoding of both databases, where texts need not be converted and UTF-8 may not hold them all.
    pub(crate) encoding: Option<String>,
    /// Whether foreign keys and triggers are there already: the table is then emptied row by row.
    pub(crate) constrained: bool,
    /// For the configuration table of an extension, which of its rows are copied.
    pub(crate) filter: Option<String>,
    /// Where others may use the target already: their rows are not replaced.
    pub(crate) guard: Option<GuardedTable>,
}

impl Load {
    /// The statement that empties the table before its rows are copied: an earlier attempt may have filled it.
    /// The rows of an extension's configuration table that the extension made itself stay.
    pub(crate) fn emptying(&self) -> String {
        match &self.filter {
            Some(filter) => format!("DELETE FROM ONLY {} {filter}", self.table.name),
            None if self.constrained => format!("DELETE FROM ONLY {}", self.table.name),
            None => format!("TRUNCATE ONLY {}", self.table.name),
        }
    }
}

/// Takes a snapshot of the source, also of one that is just being restarted.
pub(crate) async fn take_snapshot(ctx: &Context<Database>) -> Result<Snapshot, Failure> {
    patiently(&ctx.notes(), "taking a snapshot of the source", || async move {
        ctx.check_cancelled()?;
        Snapshot::take(ctx.source_server(), ctx.database().as_str()).await
    })
    .await
}

/// What the journal holds of a planned table that this attempt has copied.
pub(crate) fn copied<'i>(
    items: &'i BTreeMap<CopyItem, CopiedTable>,
    attempt: u32,
    plan: &TablePlan,
) -> Result<&'i CopiedTable, Failure> {
    let table = plan.number;
    items
        .get(&CopyItem { attempt, table })
        .ok_or_else(|| Failure::bug(format!("table {} was not copied, and nobody noticed", plan.name)))
}

/// The planned tables as the snapshot's catalogs have them. Whether they are constrained, [`constrained`] says.
///
/// # Errors
/// [`Code::PlanChanged`] where the source has a table that the plan lacks, or lacks one that the plan has.
pub(crate) async fn matched(
    ctx: &Context<Database>,
    planned: &[&TablePlan],
    snapshot: &Snapshot,
    constrained: bool,
) -> Result<Vec<Load>, Failure> {
    let target = ctx.target_for_reading().await?;
    let encoding = common_encoding(snapshot.keeper(), &target).await?;
    let formats = match ctx.copying().format {
        Some(_) => Formats::default(),
        None => Formats::read(snapshot.catalog().await?, &target).await?,
    };
    let load = |plan: &&TablePlan| {
        let table = snapshot.tables().get(&plan.name).cloned().ok_or_else(|| {
            failures::source_changed(format!(
                "table {} is in the plan, but no longer on the source",
                plan.name
            ))
        })?;
        Ok(Load {
            number: plan.number,
            constrained,
            format: match (ctx.copying().format, &encoding) {
                (Some(format), _) => format,
                // In binary, texts are converted to the client's encoding.
                (None, Some(_)) => CopyFormat::Text,
                (None, None) => formats.best(table.oid),
            },
            encoding: encoding.clone(),
            filter: plan.filter().map(str::to_owned),
            table,
            guard: None,
        })
    };
    planned.iter().map(load).collect()
}

/// The encoding of both databases, where it is the same and another than UTF-8.
async fn common_encoding(
    source: &Session<Source, ReadOnly>,
    target: &Session<Target, ReadOnly>,
) -> Result<Option<String>, Failure> {
    let sql = "SELECT pg_catalog.getdatabaseencoding()::text";
    let there: String = source
        .doing("read the encoding")
        .query_one(sql, &[])
        .await?
        .get(0);
    let here: String = target
        .doing("read the encoding")
        .query_one(sql, &[])
        .await?
        .get(0);
    Ok((there == here && here != "UTF8").then_some(here))
}

/// Whether foreign keys or triggers are there already: that is so where a database is copied once more after its data were
/// discarded, and where the removal copies again.
///
/// # Errors
/// When the target can't be asked.
pub(crate) async fn is_constrained<R: Right>(
    target: &Session<Target, R>,
    planned: &[&TablePlan],
) -> Result<bool, Failure> {
    Ok(!constrained(target, planned).await?.is_empty())
}

/// The tables that have foreign keys or triggers on the target.
///
/// # Errors
/// When the target can't be asked.
pub(crate) async fn constrained<R: Right>(
    target: &Session<Target, R>,
    planned: &[&TablePlan],
) -> Result<BTreeSet<TableName>, Failure> {
    // What an extension has made itself, it has made with the schema.
    let ours = planned.iter().filter(|plan| plan.filter().is_none());
    let (schemas, names): (Vec<&str>, Vec<&str>) = ours
        .map(|plan| (plan.name.schema.as_str(), plan.name.name.as_str()))
        .unzip();
    let doing = target.doing("look for triggers and foreign keys");
    let rows = doing
        .query(include_str!("constrained.sql"), &[&schemas, &names])
        .await?;
    let name = |row: &Row| TableName::new(row.get::<_, String>("schema"), row.get::<_, String>("name"));
    Ok(rows.iter().map(name).collect())
}

/// Keeps triggers and foreign keys from acting on what a session does, as an apply worker's session does.
///
/// # Errors
/// Where the role may not do that.
pub(crate) async fn act_as_replica(target: &Session<Target, ReadWrite>) -> Result<(), Failure> {
    let doing = target.doing("set session_replication_role");
    let set = doing.batch("SET session_replication_role = replica").await;
    set.map_err(|error| {
        Failure::from(error).with_hint(
            "triggers would fire while rows are copied again; GRANT SET ON PARAMETER session_replication_role to the role (PostgreSQL 15 and newer), or connect to the target as a superuser",
        )
    })
}

/// Refuses a snapshot in which the source has a table that the plan lacks: nobody would copy its rows.
///
/// # Errors
/// [`Code::PlanChanged`](pghaul_step::Code::PlanChanged) with its name.
pub(crate) async fn refuse_new_tables(ctx: &Context<Database>, snapshot: &Snapshot) -> Result<(), Failure> {
    let known: BTreeSet<&TableName> = ctx.plan().tables.iter().map(|t| &t.name).collect();
    let tables = snapshot.catalog().await?.relations.tables();
    let found = tables
        .filter(|table| table.kind == RelationKind::Table)
        .map(|table| &table.name);
    let new: Vec<&TableName> = found.filter(|name| !known.contains(name)).collect();
    if new.is_empty() {
        return Ok(());
    }
    let selected = ctx.selected(&*ctx.source().await?).await?;
    let holds = |name: &&TableName| {
        selected
            .as_ref()
            .is_none_or(|selected| selected.holds_named(&name.schema, &name.name))
    };
    match new.into_iter().find(holds) {
        Some(name) => Err(failures::source_table_new(name)),
        None => Ok(()),
    }
}
