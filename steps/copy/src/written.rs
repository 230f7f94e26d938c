//! What was written on the source to tables after they were copied.

use pghaul_contracts::{CopiedTable, CopyItem};
use pghaul_copy::mark::written_since;
use pghaul_copy::{CopiedRows, Depth, Since};
use pghaul_step::postgres::{QualifiedName, ReadOnly, Session, Source};
use pghaul_step::{Context, Database, Failure, Incomplete, TableClass, TablePlan};
use std::collections::BTreeMap;

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
    let (mut tables, mut positions) = (Vec::new(), Vec::new());
    for plan in plans {
        let Some(item) = items.get(&plan.number) else {
            continue;
        };
        tables.push(CopiedRows {
            name: QualifiedName::try_from(&plan.name)?,
            rows: item.rows,
            filter: match &plan.class {
                TableClass::ExtensionRows { filter } => filter.clone(),
                _ => String::new(),
            },
            mark: item.mark.clone(),
        });
        positions.push(item.as_of.as_str());
    }
    if tables.is_empty() {
        return Ok(Vec::new());
    }
    let database = ctx.database().as_str();
    let session: Session<Source, ReadOnly> = ctx.source_server().connect(database).await?;
    let depth = if read_rows { Depth::Rows } else { Depth::Counters };
    let since = written_since(&session, &tables, depth).await?;
    let found = since.into_iter().zip(&tables).zip(positions);
    Ok(found
        .filter_map(|((since, table), as_of)| {
            let why = match since {
                Since::Unchanged => return None,
                Since::Written(why) => format!("written on the source since {as_of}: {why}"),
                Since::Unknown(why) => {
                    format!("whether it was written on the source since {as_of} can't be told: {why}")
                }
            };
            Some(Incomplete {
                object: format!("table {}", table.name.short()),
                why,
                as_of: Some(as_of.to_owned()),
                ..Incomplete::default()
            })
        })
        .collect())
}
