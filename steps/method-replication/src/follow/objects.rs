//! The objects that replication rests on, and the tables on both sides.

use super::{Link, Names};
use crate::halt;
use crate::publication;
use crate::relation::{Comparison, NewPartition, Tables, Then, in_doubt, judge, renamed_and_back};
use pghaul_contracts::SlotOutput;
use pghaul_step::plan::RelationKind;
use pghaul_step::postgres::{Ident, ReadOnly, ReadWrite, Row, Session, Source, Target};
use pghaul_step::{
    Code, Context, Database, DatabaseName, Failure, Incomplete, Side, TableName, failures, quoted,
};
use std::collections::{BTreeMap, BTreeSet};

/// What everything is compared with.
pub(super) struct Look<'a> {
    pub(super) ctx: &'a Context<Database>,
    pub(super) links: &'a [Link],
    pub(super) then: Then,
    pub(super) on_target: Tables,
    /// Whether the source replicates TRUNCATE of any table.
    pub(super) sends_truncate: bool,
}

impl Look<'_> {
    /// Everything on the source, and its tables against the target's. Returns the source's tables.
    pub(super) async fn at_source(
        &self,
        source: &Session<Source, ReadOnly>,
        problems: &mut Vec<Failure>,
    ) -> Result<Tables, Failure> {
        let publications: Vec<&str> = self.links.iter().map(|link| link.publication.as_str()).collect();
        let on_source = Tables::read(source, &publications).await?;
        for link in self.links {
            self.check_publication(source, link, &on_source, problems).await?;
            check_slot(self.ctx.database(), source, &link.slot, problems).await?;
        }
        self.check_new_tables(source, &on_source, problems).await?;
        problems.extend(judge(&self.comparison(&on_source)));
        Ok(on_source)
    }

    fn comparison<'a>(&'a self, on_source: &'a Tables) -> Comparison<'a> {
        Comparison {
            database: self.ctx.database(),
            tables: &self.ctx.plan().tables,
            route: self.ctx.route(),
            sends_truncate: self.sends_truncate,
            then: &self.then,
            source: on_source,
            target: &self.on_target,
        }
    }

    /// The subscriptions, and the tables that they list.
    pub(super) async fn at_target(
        &self,
        target: &Session<Target, ReadWrite>,
        on_source: &Tables,
        problems: &mut Vec<Failure>,
    ) -> Result<(), Failure> {
        for link in self.links {
            self.check_subscription(target, link, on_source, problems).await?;
        }
        Ok(())
    }

    /// Triggers that were created or enabled on the target: what they do to rows, the source has not done.
    pub(super) fn firing_triggers(&self) -> Vec<Incomplete> {
        let triggers = self.on_target.firing(&self.ctx.plan().tables);
        let incomplete = |trigger: &str| {
            Incomplete {
            object: format!("trigger {trigger}"),
            why: "fires on the target for changes that are replicated; disable it (ALTER TABLE … DISABLE TRIGGER) until the removal"
                .to_owned(),
            ..Incomplete::default()
        }
        };
        triggers.map(incomplete).collect()
    }

    /// What only the user knows to be the same on both sides.
    pub(super) fn in_doubt(&self, on_source: &Tables) -> Vec<Incomplete> {
        let mut found = in_doubt(&self.comparison(on_source));
        let new = self.new_tables(on_source).into_iter();
        let partitions = new.filter_map(|table| self.new_partition(table, on_source));
        let on_both = partitions.filter(|partition| partition.problem(&self.on_target).is_none());
        found.extend(on_both.map(|partition| partition.in_doubt()));
        found.extend(self.renamed_and_back(on_source));
        found
    }

    /// What was called otherwise for a while, on either side.
    fn renamed_and_back(&self, on_source: &Tables) -> Vec<Incomplete> {
        let plan = &self.ctx.plan().tables;
        let sides = [
            (Side::Source, self.then.source.as_ref(), on_source),
            (Side::Target, self.then.target.as_ref(), &self.on_target),
        ];
        sides
            .into_iter()
            .flat_map(|(side, then, now)| renamed_and_back(self.ctx.database(), side, plan, then, now))
            .collect()
    }

    async fn check_subscription(
        &self,
        target: &Session<Target, ReadWrite>,
        link: &Link,
        on_source: &Tables,
        problems: &mut Vec<Failure>,
    ) -> Result<(), Failure> {
        let on_target = &self.on_target;
        let name = &link.subscription;
        let Some(subscription) = target.subscription(name).await? else {
            problems.push(failures::replication_changed(
                self.ctx.database(),
                Side::Target,
                format!("the subscription {name} is gone"),
            ));
            return Ok(());
        };
        if subscription.slot.as_deref() != Some(&link.slot.name)
            || subscription.publications != [link.publication.as_str()]
        {
            problems.push(failures::replication_changed(
                self.ctx.database(),
                Side::Target,
                format!("the subscription {name} was altered"),
            ));
        }
        if subscription.origin != "any" {
            let ident = Ident::new(name.as_str())?;
            let message = format!(
                "the subscription {name} leaves out what the source itself receives from other servers (origin = {})",
                subscription.origin
            );
            problems.push(
                Failure::new(Code::PublicationChanged, message)
                    .with_side(Side::Target)
                    .with_hint(format!(
                        "in database {} of the target: ALTER SUBSCRIPTION {ident} SET (origin = any); where a subscription of the source has written to its tables meanwhile, {}",
                        quoted(self.ctx.target_database().as_str()),
                        failures::copied_anew(self.ctx.database())
                    )),
            );
        }
        if !subscription.enabled {
            let (message, hint) = if halt::is_stopped(self.ctx, name).await? {
                (
                    format!("the subscription {name} was stopped by a removal that was interrupted"),
                    "`pghaul run` starts it again; or `pghaul remove` continues the removal".to_owned(),
                )
            } else {
                (
                    format!("the subscription {name} is disabled"),
                    format!(
                        "see the target's log for the reason, fix it, then in database {} of the target: ALTER SUBSCRIPTION \"{name}\" ENABLE;",
                        quoted(self.ctx.target_database().as_str())
                    ),
                )
            };
            problems.push(
                Failure::new(Code::ApplyFailed, message)
                    .with_side(Side::Target)
                    .with_hint(hint),
            );
        }
        let doing = target.doing("read the subscription's tables");
        let rows = doing.query(include_str!("subscribed.sql"), &[name]).await?;
        let states: BTreeMap<TableName, String> = rows
            .iter()
            .map(|row| (table_name(row), row.get("state")))
            .collect();
        let subscribed: Names = states.keys().cloned().collect();
        // A table that is gone from both sides is nobody's loss; one that is gone from one side has been named.
        let there = |name: &&TableName| on_source.get(name).is_some() && on_target.get(name).is_some();
        let expected: Names = link.tables.iter().filter(there).cloned().collect();
        for table in expected.difference(&subscribed) {
            let message = format!("table {table} is no longer subscribed on the target");
            problems.push(altered(self.ctx, Side::Target, message));
        }
        let unknown = |name: &&TableName| !self.then.knows(Side::Target, on_target.get(name));
        for table in subscribed.difference(&link.tables).filter(unknown) {
            let message = format!("table {table} is subscribed on the target, but not in the plan");
            problems.push(altered(self.ctx, Side::Target, message));
        }
        for (table, state) in states.iter().filter(|(_, state)| state.as_str() != "r") {
            let message = format!("table {table} is not ready: its state is {state}");
            problems.push(Failure::new(Code::ApplyFailed, message).with_side(Side::Target).with_hint(
            "wait until the target's workers have copied it; if that does not end, see the target's log",
        ));
        }
        Ok(())
    }

    async fn check_publication(
        &self,
        source: &Session<Source, ReadOnly>,
        link: &Link,
        on_source: &Tables,
        problems: &mut Vec<Failure>,
    ) -> Result<(), Failure> {
        let name = &link.publication;
        let first = link.first.as_ref().map(|first| &first.version);
        let now = publication::version(source, name).await?;
        // Without partitioned tables it is the same how they are published, and aiven_extras does not say it.
        let mut tables = self.ctx.plan().tables.iter();
        let trees = tables.any(|t| t.kind == RelationKind::PartitionedTable && link.tables.contains(&t.name));
        match source.publication(name).await? {
            None => problems.push(failures::replication_changed(
                self.ctx.database(),
                Side::Source,
                format!("the publication {name} is gone"),
            )),
            Some(publication)
                if !publication.all_operations
                    || publication.all_tables
                    || (trees && !publication.via_partition_root && source.server_version() >= 130_000)
                    || first.is_some_and(|first| now.as_ref().is_none_or(|now| now.oid != first.oid)) =>
            {
                let message = format!("the publication {name} was altered: it may have left out changes");
                problems.push(altered(self.ctx, Side::Source, message));
            }
            Some(_) => {}
        }
        let doing = source.doing("read the publication's tables");
        let rows = doing.query(include_str!("../published.sql"), &[name]).await?;
        for row in &rows {
            let table = table_name(row);
            if row.get("filtered") {
                let message =
                    format!("the publication {name} has a row filter or a column list for table {table}");
                problems.push(altered(self.ctx, Side::Source, message));
            }
            if !link.tables.contains(&table) && !self.then.knows(Side::Source, on_source.get(&table)) {
                let message = format!("table {table} is published on the source, but not in the plan");
                problems.push(
                    altered(self.ctx, Side::Source, message)
                        .with_hint("take it out of the publication, and run again"),
                );
            }
        }
        Ok(())
    }

    /// The tables of the source that the plan lacks.
    fn new_tables<'a>(&self, on_source: &'a Tables) -> Vec<&'a TableName> {
        let known: BTreeSet<&TableName> = self.ctx.plan().tables.iter().map(|t| &t.name).collect();
        let is_new = |table: &&TableName| {
            !known.contains(table) && !self.then.knows(Side::Source, on_source.get(table))
        };
        on_source.names().filter(is_new).collect()
    }

    fn new_partition<'a>(&'a self, table: &'a TableName, on_source: &Tables) -> Option<NewPartition<'a>> {
        NewPartition::find(table, on_source, &self.ctx.plan().tables)
    }

    async fn check_new_tables(
        &self,
        source: &Session<Source, ReadOnly>,
        on_source: &Tables,
        problems: &mut Vec<Failure>,
    ) -> Result<(), Failure> {
        let mut new = self.new_tables(on_source);
        new.retain(|table| match self.new_partition(table, on_source) {
            None => true,
            Some(partition) => {
                problems.extend(partition.problem(&self.on_target));
                false
            }
        });
        if !new.is_empty()
            && let Some(selected) = self.ctx.selected(source).await?
        {
            new.retain(|table| selected.holds_named(&table.schema, &table.name));
        }
        for table in new {
            let message = format!("table not replicated: {table} is new on the source since the plan");
            problems.push(
                Failure::new(Code::PlanChanged, message)
                    .with_side(Side::Source)
                    .with_hint(failures::new_table()),
            );
        }
        Ok(())
    }
}

/// A publication or a subscription of pghaul's was altered.
fn altered(ctx: &Context<Database>, side: Side, message: String) -> Failure {
    Failure::new(Code::PublicationChanged, message)
        .with_side(side)
        .with_hint(failures::copied_anew(ctx.database()))
}

fn table_name(row: &Row) -> TableName {
    TableName::new(row.get::<_, String>("schema"), row.get::<_, String>("name"))
}

async fn check_slot(
    database: &DatabaseName,
    source: &Session<Source, ReadOnly>,
    expected: &SlotOutput,
    problems: &mut Vec<Failure>,
) -> Result<(), Failure> {
    let name = &expected.name;
    match source.slot(name).await? {
        None => problems.push(failures::slot_gone(database, name)),
        Some(slot) if slot.wal_status.as_deref() == Some("lost") => {
            problems.push(failures::slot_lost_wal(database, name))
        }
        Some(slot) if slot.plugin.as_deref() != Some("pgoutput") => {
            problems.push(failures::replication_changed(
                database,
                Side::Source,
                format!("the replication slot {name} is not ours"),
            ));
        }
        Some(_) => {}
    }
    Ok(())
}
