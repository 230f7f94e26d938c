//! What the crew is told of each table.

use pghaul_copy::{Formats, Snapshot, Table};
use pghaul_step::retry::pause_before_retry;
use pghaul_step::{Code, Context, CopyFormat, Database, Failure, Side, TableClass, TablePlan};
use std::collections::BTreeSet;

/// A table to be copied.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    /// Its number in the plan.
    pub(crate) number: u32,
    /// As the snapshot's catalogs have it.
    pub(crate) table: Table,
    /// The format of COPY.
    pub(crate) format: CopyFormat,
    /// For the configuration table of an extension, which of its rows are copied.
    pub(crate) filter: Option<String>,
}

impl Load {
    /// The statement that empties the table before its rows are copied: an earlier generation may have filled it.
    /// The rows of an extension's configuration table that the extension made itself stay.
    pub(crate) fn emptying(&self) -> String {
        match &self.filter {
            Some(filter) => format!("DELETE FROM ONLY {} {filter}", self.table.name),
            None => format!("TRUNCATE ONLY {}", self.table.name),
        }
    }
}

/// Takes a snapshot of the source, also of one that is just being restarted.
pub(crate) async fn take_snapshot(ctx: &Context<Database>) -> Result<Snapshot, Failure> {
    let mut tries = 0;
    loop {
        let failure = match Snapshot::take(ctx.source_server(), ctx.database().as_str()).await {
            Ok(snapshot) => return Ok(snapshot),
            Err(failure) => failure,
        };
        tries += 1;
        let pause = pause_before_retry(failure.code, tries).ok_or(failure)?;
        tokio::time::sleep(pause).await;
        ctx.check_cancelled()?;
    }
}

/// The planned tables as the snapshot's catalogs have them.
///
/// # Errors
/// [`Code::PlanChanged`] where the source has a table that the plan lacks, or lacks one that the plan has.
pub(crate) async fn matched(
    ctx: &Context<Database>,
    planned: &[&TablePlan],
    snapshot: &Snapshot,
) -> Result<Vec<Load>, Failure> {
    refuse_new_tables(ctx, snapshot)?;
    let formats = match ctx.copying().format {
        Some(_) => Formats::default(),
        None => Formats::read(snapshot.keeper(), &ctx.target().await?).await?,
    };
    let load = |plan: &&TablePlan| {
        let key = (plan.schema.clone(), plan.name.clone());
        let table = snapshot.tables().get(&key).cloned().ok_or_else(|| {
            changed(format!(
                "table {}.{} is in the plan, but no longer on the source",
                plan.schema, plan.name
            ))
        })?;
        Ok(Load {
            number: plan.number,
            format: ctx.copying().format.unwrap_or_else(|| formats.best(table.oid)),
            filter: match &plan.class {
                TableClass::ExtensionRows { filter } => Some(filter.clone()),
                _ => None,
            },
            table,
        })
    };
    planned.iter().map(load).collect()
}

fn refuse_new_tables(ctx: &Context<Database>, snapshot: &Snapshot) -> Result<(), Failure> {
    let known: BTreeSet<(&str, &str)> = ctx
        .plan()
        .tables
        .iter()
        .map(|t| (t.schema.as_str(), t.name.as_str()))
        .collect();
    let mut found = snapshot.tables().iter();
    match found.find(|((s, n), _)| !known.contains(&(s.as_str(), n.as_str()))) {
        Some((_, table)) => Err(changed(format!(
            "table {} is new on the source since the plan",
            table.name
        ))),
        None => Ok(()),
    }
}

fn changed(what: String) -> Failure {
    Failure::new(Code::PlanChanged, what).with_side(Side::Source).with_hint(
        "the schema of the source must not change during a migration; undo the change, or remove this migration and begin a new one",
    )
}
