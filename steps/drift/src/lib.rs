//! Steps `cluster-definitions`, `source-definitions` and `target-definitions`: what both sides defined when they agreed.
//!
//! Replication moves rows and no definitions, so a database that is `syncing` drifts with every `CREATE FUNCTION` and
//! `GRANT` on its source. These steps only read. The fresh look of `status`, `run` and `remove` names every object that has
//! changed since, on either side, unless the other side has changed alike.

use async_trait::async_trait;
use pghaul_contracts::{
    ClusterDefinitionsOutput, ConstraintsOutput, MatviewsOutput, PostDataOutput, SchemaOutput,
    SourceDefinitionsOutput, TargetDefinitionsOutput,
};
use pghaul_step::drift::{Change, Definitions, Drift, Facet, Sides, changed, drift};
use pghaul_step::plan::{HeldBackKind, RelationKind};
use pghaul_step::postgres::QualifiedName;
use pghaul_step::{
    Cluster, Code, Context, Contract, Database, DatabaseName, Descriptor, Failure, Incomplete, Method,
    Occasion, Probe, Proof, Repeats, Side, Standing, Step, StepPhase, TableName, failures, quoted,
    quoted_name,
};
use std::collections::BTreeSet;

/// Step `cluster-definitions`: roles and what else all databases share. Comes before the roles are moved.
#[derive(Debug, Default)]
pub struct ClusterDefinitions;

/// Step `source-definitions`: comes before pg_dump reads the schema, so that no later change is missed.
#[derive(Debug, Default)]
pub struct SourceDefinitions;

/// Step `target-definitions`: comes when all of the schema is restored.
#[derive(Debug, Default)]
pub struct TargetDefinitions;

#[async_trait]
impl Step for ClusterDefinitions {
    type Scope = Cluster;
    type Output = ClusterDefinitionsOutput;

    fn descriptor(&self) -> Descriptor {
        Descriptor::of::<Self::Output>("records the source's roles and their settings", StepPhase::Schema)
    }

    async fn probe(&self, _: &Context<Cluster>) -> Result<Probe<Self::Output>, Failure> {
        Ok(Probe::Absent)
    }

    async fn run(&self, ctx: &Context<Cluster>) -> Result<Self::Output, Failure> {
        Ok(ClusterDefinitionsOutput(of_cluster(ctx).await?))
    }

    /// Only the source's changes count: the target has roles of its own, and they may change.
    async fn standing(&self, ctx: &Context<Cluster>) -> Result<Option<Standing>, Failure> {
        let Some(ClusterDefinitionsOutput(then)) = ctx.output()? else {
            return Ok(None);
        };
        let source = of_cluster(ctx).await?;
        let target = ctx.target().await?.cluster_definitions(&ctx.mapping()).await?;
        let changed = changed(Side::Source, then, &source);
        let now = Sides {
            source: &source,
            target: &target,
        };
        Ok(Some(standing(None, &drift(changed, now), Rows::NotLookedAt)))
    }
}

#[async_trait]
impl Step for SourceDefinitions {
    type Scope = Database;
    type Output = SourceDefinitionsOutput;

    fn descriptor(&self) -> Descriptor {
        Descriptor::of::<Self::Output>(
            "records the definitions of the source's objects",
            StepPhase::Schema,
        )
    }

    async fn probe(&self, _: &Context<Database>) -> Result<Probe<Self::Output>, Failure> {
        Ok(Probe::Absent)
    }

    async fn run(&self, ctx: &Context<Database>) -> Result<Self::Output, Failure> {
        Ok(SourceDefinitionsOutput(of_source(ctx).await?))
    }
}

#[async_trait]
impl Step for TargetDefinitions {
    type Scope = Database;
    type Output = TargetDefinitionsOutput;

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            after: &[PostDataOutput::STEP, MatviewsOutput::STEP],
            repeats: Repeats::Removal,
            tries_again: true,
            ..Descriptor::of::<Self::Output>(
                "records the definitions of the target's objects",
                StepPhase::Data,
            )
        }
    }

    async fn probe(&self, _: &Context<Database>) -> Result<Probe<Self::Output>, Failure> {
        Ok(Probe::Absent)
    }

    /// Once more when step `post-data` has created more, which is no drift.
    fn is_needed(&self, ctx: &Context<Database>) -> Result<bool, Failure> {
        if ctx.occasion() != Some(Occasion::Removal) {
            return Ok(true);
        }
        let schema: Option<SchemaOutput> = ctx.output()?;
        Ok(schema.is_some_and(|schema| !schema.checks.is_empty()))
    }

    async fn run(&self, ctx: &Context<Database>) -> Result<Self::Output, Failure> {
        let now = ctx
            .target_for_reading()
            .await?
            .definitions(&ctx.mapping())
            .await?;
        // What somebody has changed on the target since it was recorded must stay visible.
        Ok(TargetDefinitionsOutput(
            match ctx.output::<TargetDefinitionsOutput>()? {
                Some(TargetDefinitionsOutput(then)) => then.with_additions_of(now),
                None => now,
            },
        ))
    }

    async fn standing(&self, ctx: &Context<Database>) -> Result<Option<Standing>, Failure> {
        // A program that did not record them yet may have begun this migration.
        if !ctx.has_output::<SourceDefinitionsOutput>() || !ctx.has_output::<TargetDefinitionsOutput>() {
            return Ok(None);
        }
        let held_back = HeldBackKeys::of(ctx)?;
        let target = ctx.target_for_reading().await?;
        let mapping = ctx.mapping();
        let of_target = async { Ok::<_, Failure>(target.definitions(&mapping).await?) };
        let (source, target) = tokio::try_join!(of_source(ctx), of_target)?;
        let target = target.retaining(|object| !held_back.contain(object));
        // What was recorded is large: one after the other.
        let mut found = Vec::new();
        if let Some(SourceDefinitionsOutput(then)) = ctx.output()? {
            // Journals of before 0.2 hold the comments of large objects, which are not compared here.
            let then = then.retaining(|object| !object.starts_with("large object "));
            found.extend(changed(Side::Source, then, &source));
        }
        if let Some(TargetDefinitionsOutput(then)) = ctx.output()? {
            let then = then.retaining(|object| !held_back.contain(object));
            found.extend(changed(Side::Target, then, &target));
        }
        let now = Sides {
            source: &source,
            target: &target,
        };
        // The proof of a replication names each table whose rows may differ, and how.
        let rows = match ctx.method() {
            Method::Replication => Rows::ProvenElsewhere,
            Method::Dump => Rows::NotLookedAt,
        };
        Ok(Some(standing(Some(ctx.database()), &drift(found, now), rows)))
    }
}

/// The foreign keys that only a removal creates, as they are named in the definitions.
#[derive(Default)]
struct HeldBackKeys {
    names: BTreeSet<String>,
    /// How the names of those of partitioned tables begin, which partitions have too.
    of_trees: Vec<String>,
}

impl HeldBackKeys {
    fn of(ctx: &Context<Database>) -> Result<Self, Failure> {
        let plan = ctx.plan();
        let tables = plan.tables.iter();
        let trees: BTreeSet<&TableName> = tables
            .filter(|table| table.kind == RelationKind::PartitionedTable)
            .map(|table| &table.name)
            .collect();
        let more: Option<ConstraintsOutput> = ctx.output()?;
        let more = more.map(|output| output.held_back).unwrap_or_default();
        let mut keys = Self::default();
        for held in plan.held_back.iter().chain(&more) {
            if let (HeldBackKind::ForeignKey, Some(table)) = (held.kind, &held.table) {
                let begin = format!("table constraint {} on ", quoted(&held.name));
                if trees.contains(table) {
                    keys.of_trees.push(begin);
                } else {
                    keys.names
                        .insert(begin + &QualifiedName::try_from(table)?.short());
                }
            }
        }
        Ok(keys)
    }

    fn contain(&self, object: &str) -> bool {
        self.names.contains(object) || self.of_trees.iter().any(|begin| object.starts_with(begin))
    }
}

/// The definitions of what is selected on the source.
async fn of_source(ctx: &Context<Database>) -> Result<Definitions, Failure> {
    let source = ctx.source().await?;
    let definitions = source.definitions(&ctx.mapping()).await?;
    Ok(match ctx.selected(&source).await? {
        Some(selected) => selected.restrict_definitions(definitions),
        None => definitions,
    })
}

/// The source's roles but for those that are left out.
async fn of_cluster(ctx: &Context<Cluster>) -> Result<Definitions, Failure> {
    let definitions = ctx.source().await?.cluster_definitions(&ctx.mapping()).await?;
    let selection = ctx.selection();
    Ok(definitions.retaining(|object| {
        let role = object
            .strip_prefix("role ")
            .or_else(|| object.split_once(" of role ").map(|(_, role)| role));
        role.is_none_or(|role| selection.holds_role(&unquoted(role)))
    }))
}

/// The name that `quote_ident` has quoted.
fn unquoted(name: &str) -> String {
    let quoted = name.strip_prefix('"').and_then(quoted_name);
    quoted.map_or_else(|| name.to_owned(), |(name, _)| name)
}

/// Whether another step proves that the rows of tables that changed are the same.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rows {
    ProvenElsewhere,
    NotLookedAt,
}

fn standing(database: Option<&DatabaseName>, found: &[Drift], rows: Rows) -> Standing {
    let is_problem = |drift: &&Drift| rows == Rows::NotLookedAt && drift.concerns_rows();
    let (problems, listed): (Vec<&Drift>, Vec<&Drift>) = found.iter().partition(is_problem);
    let missing: Vec<&str> = listed.iter().filter_map(|drift| missing_table(drift)).collect();
    Standing {
        proof: Proof {
            incomplete: listed
                .into_iter()
                .map(|drift| incomplete(drift, &missing))
                .collect(),
            ..Proof::default()
        },
        problems: problems
            .into_iter()
            .map(|drift| problem(database, drift))
            .collect(),
        ..Standing::default()
    }
}

/// The table that one side has and the other has not: another step says what is to be done about its rows, and in which order.
fn missing_table(drift: &Drift) -> Option<&str> {
    let is_missing = match (drift.side, &drift.change) {
        (_, Change::Dropped) | (Side::Source, Change::Created) => drift.concerns_rows(),
        _ => false,
    };
    drift.object.strip_prefix("table ").filter(|_| is_missing)
}

fn incomplete(drift: &Drift, missing: &[&str]) -> Incomplete {
    let Drift { side, object, change } = drift;
    let is_of = |table: &&str| {
        let rest = object.strip_suffix(*table);
        rest.is_some_and(|rest| rest == "table " || rest.ends_with(" on "))
    };
    let action = match (side, change) {
        _ if missing.iter().any(is_of) => "see first what has failed",
        (Side::Source, Change::Created) => "create it on the target too",
        (Side::Source, Change::Dropped) => "do so on the target too",
        (Side::Source, Change::Altered(_)) => "alter it on the target too",
        (Side::Target, Change::Dropped) => "create it there again",
        (Side::Target, _) => "alter it back",
    };
    let action = match *side == Side::Source && may_keep_writers_out(object, change) {
        true => format!("accept it where it only keeps applications from the source, otherwise {action}"),
        false => action.to_owned(),
    };
    Incomplete {
        object: object.clone(),
        why: format!("{change} on the {side} after it was moved; {action}"),
        ..Incomplete::default()
    }
}

/// Whether this is how an administrator stops what writes to the source before the cutover: on the target it would stop the
/// applications there.
fn may_keep_writers_out(object: &str, change: &Change) -> bool {
    let is_limit = |facet: &Facet| {
        matches!(
            facet,
            Facet::Definition | Facet::Options | Facet::Privileges | Facet::Password
        )
    };
    let of = |kind: &str| object.starts_with(kind);
    match change {
        Change::Altered(facets) if of("database ") || of("role ") => facets.iter().any(is_limit),
        Change::Created | Change::Altered(_) => of("setting default_transaction_read_only "),
        Change::Dropped => false,
    }
}

fn problem(database: Option<&DatabaseName>, drift: &Drift) -> Failure {
    let Drift { side, object, change } = drift;
    let message = format!("{object} {change} on the {side} after it was moved, so rows may differ");
    // Only a database that is done can be copied again; one that is not yet says the same.
    let hint = match (side, change) {
        (Side::Source, Change::Created) => {
            "where it was renamed, give it back its name, and run again; where it is new, it is not moved: begin a new migration, or drop it where nobody needs it"
                .to_owned()
        }
        (Side::Source, Change::Dropped) => {
            "where it was renamed, give it back its name, and run again; where it was dropped, drop it on the target too"
                .to_owned()
        }
        _ => {
            let again = database.map(|name| format!("; otherwise {}", failures::copied_anew(name)));
            format!(
                "where no row has changed since, do the same on the other side, or undo it, and run again{}",
                again.unwrap_or_default()
            )
        }
    };
    Failure::new(Code::PlanChanged, message)
        .with_side(*side)
        .with_hint(hint)
}
