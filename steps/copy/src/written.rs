//! What was written on the source to tables after they were copied.

use pghaul_contracts::{CopiedTable, CopyItem};
use pghaul_copy::mark::written_since;
use pghaul_copy::{CopiedRows, Depth, Since};
use pghaul_step::postgres::{QualifiedName, ReadOnly, Session, Source};
use pghaul_step::{Context, Database, Failure, Incomplete, TablePlan};
use std::collections::{BTreeMap, BTreeSet};

/// The finished items of one attempt of the step itself, by the numbers of the tables.
pub(crate) fn items_of_attempt(
    ctx: &Context<Database>,
    attempt: u32,
) -> Result<BTreeMap<u32, CopiedTable>, Failure> {
    let items = ctx.items::<CopyItem, CopiedTable>()?;
    let of_attempt = items.into_iter().filter(|(item, _)| item.attempt == attempt);
    Ok(of_attempt.map(|(item, copied)| (item.table, copied)).collect())
}

/// Which of these tables were written to on the source after their copy.
pub(crate) async fn written<'p>(
    ctx: &Context<Database>,
    items: BTreeMap<u32, CopiedTable>,
    plans: impl Iterator<Item = &'p TablePlan>,
    read_rows: bool,
) -> Result<Vec<Incomplete>, Failure> {
    let depth = if read_rows { Depth::Rows } else { Depth::Counters };
    let found = since(ctx, &items, plans, depth).await?;
    Ok(found
        .into_iter()
        .filter_map(|(plan, as_of, since)| {
            let why = match since {
                Since::Unchanged => return None,
                Since::Written(why) => format!("written on the source since {as_of}: {why}"),
                Since::Unknown(why) => {
                    format!("whether it was written on the source since {as_of} can't be told: {why}")
                }
            };
            Some(Incomplete {
                object: plan.object(),
                why,
                as_of: Some(as_of),
                ..Incomplete::default()
            })
        })
        .collect())
}

/// The numbers of those whose rows are not known to be the same as when they were copied.
pub(crate) async fn changed<'p>(
    ctx: &Context<Database>,
    items: &BTreeMap<u32, CopiedTable>,
    plans: impl Iterator<Item = &'p TablePlan>,
) -> Result<BTreeSet<u32>, Failure> {
    let found = since(ctx, items, plans, Depth::Counters).await?;
    let changed = found.into_iter().filter(|(.., since)| *since != Since::Unchanged);
    Ok(changed.map(|(plan, ..)| plan.number).collect())
}

/// Whether the tables that have an item were written to, with the position of the item's snapshot.
async fn since<'p>(
    ctx: &Context<Database>,
    items: &BTreeMap<u32, CopiedTable>,
    plans: impl Iterator<Item = &'p TablePlan>,
    depth: Depth,
) -> Result<Vec<(&'p TablePlan, String, Since)>, Failure> {
    let (mut rows, mut tables) = (Vec::new(), Vec::new());
    for plan in plans {
        let Some(item) = items.get(&plan.number) else {
            continue;
        };
        rows.push(CopiedRows {
            name: QualifiedName::try_from(&plan.name)?,
            rows: item.rows,
            filter: plan.filter().unwrap_or_default().to_owned(),
            mark: item.mark.clone(),
        });
        tables.push((plan, item.as_of.clone()));
    }
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let database = ctx.database().as_str();
    let session: Session<Source, ReadOnly> = ctx.source_server().connect(database).await?;
    let since = written_since(&session, &rows, depth).await?;
    let found = tables.into_iter().zip(since);
    Ok(found.map(|((plan, as_of), since)| (plan, as_of, since)).collect())
}
