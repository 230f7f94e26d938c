//! What is held back while changes are replicated, and comes with the removal: foreign keys with tables that are not replicated
//! are created when the rows of these tables are there; triggers that fire for replicated changes, and event triggers, are
//! enabled when nothing is replicated any more.
//!
//! A foreign key would refuse a TRUNCATE that is replicated. So where the removal is refused after all, the keys are dropped
//! again before the source is followed further.

use crate::archive::Entry;
use crate::attempt::attempt;
use crate::crossing::Crossing;
use crate::foreign_keys::unchecked;
use crate::raw::sendable;
use crate::refusals::refused;
use crate::restore::Restorer;
use crate::rows_in_the_way::query;
use pghaul_contracts::{ConstraintsOutput, DeferredCopyOutput, Firing, FiringTrigger};
use pghaul_step::plan::{HeldBack, HeldBackKind};
use pghaul_step::postgres::{Ident, QualifiedName};
use pghaul_step::{Context, Contract, Database, Failure, Incomplete};

/// The prefix of the effect keys of what the removal has created; what follows is the place of a key in [`all`], or `entry/` and
/// the number of the entry of what depends on a key.
const CREATED: &str = "held-back/";

const CREATE: &str = "create a foreign key that was held back";
const ENABLE: &str = "enable a trigger that was held back";
const DROP: &str = "drop foreign keys that were created for the removal";

/// Everything that is held back, in an order that stays.
pub(crate) fn all(ctx: &Context<Database>) -> Result<Vec<HeldBack>, Failure> {
    let mut all = ctx.plan().held_back.clone();
    if let Some(output) = ctx.output::<ConstraintsOutput>()? {
        all.extend(output.held_back);
    }
    Ok(all)
}

/// How an object is listed.
pub(crate) fn object(held: &HeldBack) -> String {
    match &held.table {
        None => format!("{} {}", held.kind, held.name),
        Some(table) => format!("{} {} of table {table}", held.kind, held.name),
    }
}

/// Whether the removal completes what is held back: not in a migration of a release that left this to the user.
pub(crate) fn is_completed(ctx: &Context<Database>) -> bool {
    DeferredCopyOutput::is_planned(ctx.plan())
}

/// An object as it is listed.
pub(crate) fn listed(ctx: &Context<Database>, held: &HeldBack) -> Incomplete {
    Incomplete {
        object: object(held),
        why: format!("held back: {}", held.why),
        by_removal: is_completed(ctx),
        ..Incomplete::default()
    }
}

/// The SQLSTATE of a name that is taken.
const DUPLICATE_OBJECT: &str = "42710";

/// Creates the foreign keys, and what depends on them. What the target refuses is noted; a key that the user
/// has created by hand is left as it is.
pub(crate) async fn create_keys(restorer: &Restorer<'_>, crossing: &Crossing<'_>) -> Result<(), Failure> {
    let ctx = restorer.ctx;
    let create = async |statements: &str, effect: &String| {
        let statements = sendable(statements, restorer.archive.encoding());
        attempt(ctx, CREATE, &statements, &[], &[effect]).await
    };
    let created = ctx.effects(CREATED).await?;
    for (effect, object, entry) in keys(restorer, crossing)? {
        ctx.check_cancelled()?;
        if created.contains(&effect) {
            continue;
        }
        let statements = &entry.statements;
        let unchecked = unchecked(statements);
        if ctx.is_accepted(&object) {
            // It holds for new rows at least.
            if let Some(unchecked) = unchecked {
                create(&unchecked, &effect).await?;
            }
            continue;
        }
        let failure = match create(statements, &effect).await? {
            Some(failure) if failure.sqlstate.as_deref() != Some(DUPLICATE_OBJECT) => failure,
            _ => continue,
        };
        let mut incomplete = refused(object, &failure);
        incomplete.sql = query(statements, &failure);
        if let Some(unchecked) = unchecked
            && create(&unchecked, &effect).await?.is_none()
        {
            let words = failure.message;
            incomplete.why =
                format!("`pghaul remove` can only create it NOT VALID, rows violate it: {words}");
        }
        restorer.refusals.refuse_effect(&effect, incomplete);
    }
    let of_plan = restorer.without().map(|(entry, _)| entry);
    for entry in of_plan.chain(crossing.dependents.iter().map(|(entry, _)| *entry)) {
        let effect = format!("{CREATED}entry/{}", entry.id);
        if !created.contains(&effect)
            && let Some(failure) = create(&entry.statements, &effect).await?
        {
            restorer
                .refusals
                .refuse_effect(&effect, refused(entry.object(), &failure));
        }
    }
    Ok(())
}

/// The foreign keys of the archive: the effect key, the name under which it is listed, the entry.
fn keys<'a>(
    restorer: &Restorer<'a>,
    crossing: &Crossing<'a>,
) -> Result<Vec<(String, String, &'a Entry)>, Failure> {
    let all = all(restorer.ctx)?;
    let of_plan = restorer
        .archive
        .entries
        .iter()
        .filter_map(|entry| Some((entry, restorer.held_back(entry)?)))
        .filter(|(_, held)| held.kind == HeldBackKind::ForeignKey);
    let found = of_plan.chain(crossing.keys.iter().copied().zip(&crossing.held_back));
    Ok(found
        .filter_map(|(entry, held)| {
            let place = all.iter().position(|known| known == held)?;
            Some((format!("{CREATED}{place}"), object(held), entry))
        })
        .collect())
}

/// Drops the foreign keys that a removal has created, since the source is followed further.
pub(crate) async fn drop_keys(ctx: &Context<Database>) -> Result<(), Failure> {
    let created: Vec<String> = ctx.effects(CREATED).await?.into_iter().collect();
    if created.is_empty() {
        return Ok(());
    }
    let mut statements = String::new();
    for (place, held) in all(ctx)?.iter().enumerate() {
        if let Some(table) = &held.table
            && created.contains(&format!("{CREATED}{place}"))
        {
            let (table, name) = (QualifiedName::try_from(table)?, Ident::new(held.name.as_str())?);
            statements.push_str(&format!(
                "ALTER TABLE IF EXISTS {table} DROP CONSTRAINT IF EXISTS {name};\n"
            ));
        }
    }
    let mut session = ctx.target().await?;
    let transaction = ctx.begin(&mut session).await?;
    transaction.batch(DROP, &statements).await?;
    transaction.forget_each(&created).await?;
    transaction.commit(DROP).await
}

/// How the triggers that are held back fire on the source. What has gone there is left out.
pub(crate) async fn firing(ctx: &Context<Database>) -> Result<Vec<FiringTrigger>, Failure> {
    let held: Vec<HeldBack> = all(ctx)?;
    let held = held
        .into_iter()
        .filter(|held| held.kind != HeldBackKind::ForeignKey && !ctx.is_accepted(&object(held)));
    let (mut tables, mut names, mut triggers) = (Vec::new(), Vec::new(), Vec::new());
    for held in held {
        let table = held.table.as_ref().map(QualifiedName::try_from).transpose()?;
        tables.push(table.map(|table| table.to_string()));
        names.push(held.name.clone());
        triggers.push(held);
    }
    if triggers.is_empty() {
        return Ok(Vec::new());
    }
    let source = ctx.source().await?;
    let doing = source.doing("read when triggers fire");
    let rows = doing
        .query(include_str!("held_back_triggers.sql"), &[&tables, &names])
        .await?;
    let states: Vec<Option<String>> = rows.iter().map(|row| row.get("state")).collect();
    let found = triggers.into_iter().zip(states);
    Ok(found
        .filter_map(|(held, state)| {
            let firing = Firing::of(state.as_deref()?)?;
            let HeldBack { table, name, .. } = held;
            Some(FiringTrigger { table, name, firing })
        })
        .collect())
}

/// Enables triggers as they are on the source, event triggers last. What the target refuses is said in the log.
pub(crate) async fn enable(ctx: &Context<Database>, triggers: &[FiringTrigger]) -> Result<(), Failure> {
    let (of_tables, of_events): (Vec<_>, Vec<_>) =
        triggers.iter().partition(|trigger| trigger.table.is_some());
    for trigger in of_tables.into_iter().chain(of_events) {
        let statement = enabling(trigger)?;
        if let Some(failure) = attempt(ctx, ENABLE, &statement, &[], &[]).await? {
            tracing::warn!(%failure, statement, "a trigger that was held back could not be enabled: enable it by hand");
        }
    }
    Ok(())
}

/// The statement that enables a trigger.
fn enabling(trigger: &FiringTrigger) -> Result<String, Failure> {
    let name = Ident::new(trigger.name.as_str())?;
    let how = match trigger.firing {
        Firing::Origin => "ENABLE",
        Firing::Always => "ENABLE ALWAYS",
        Firing::Replica => "ENABLE REPLICA",
    };
    Ok(match &trigger.table {
        Some(table) => format!(
            "ALTER TABLE {} {how} TRIGGER {name};\n",
            QualifiedName::try_from(table)?
        ),
        None => format!("ALTER EVENT TRIGGER {name} {how};\n"),
    })
}
