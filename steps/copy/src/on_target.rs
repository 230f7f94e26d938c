//! Rows on the target that pghaul has not copied: somebody uses the table there already.
//!
//! The transaction that has copied a table has noted its effect keys too. So a row that another transaction has written has another
//! `xmin` than these keys, and rows are missing where somebody has deleted some.

use crate::deferred::accepting;
use pghaul_contracts::{CopiedTable, EffectKey};
use pghaul_step::postgres::{QualifiedName, ReadWrite, Session, Target};
use pghaul_step::step::deferred_table;
use pghaul_step::{Code, Context, Database, Failure, Side, TableClass, TablePlan, listed};
use std::collections::BTreeMap;

const LOOK: &str = "look for rows that pghaul has not copied";

/// Refuses to replace rows that are not those of the last copies. An empty table holds nothing that could be lost.
///
/// # Errors
/// [`Code::NotSafeToRemove`] with the tables.
pub(crate) async fn refuse_foreign_rows(
    ctx: &Context<Database>,
    tables: &[&TablePlan],
    copies: &BTreeMap<u32, CopiedTable>,
) -> Result<(), Failure> {
    let mut target = ctx.target().await?;
    let mut written = Vec::new();
    for plan in tables {
        ctx.check_cancelled()?;
        let copied = copies.get(&plan.number).and_then(|copied| copied.rows);
        if has_foreign_rows(ctx, &mut target, plan, copied).await? {
            written.push(deferred_table(plan));
        }
    }
    if written.is_empty() {
        return Ok(());
    }
    Err(Failure::new(
        Code::NotSafeToRemove,
        format!(
            "written to on the target since pghaul copied it: {}",
            listed(&written)
        ),
    )
    .with_side(Side::Target)
    .with_hint(format!(
        "`pghaul remove` copies such a table from the source again, which would discard these rows; `{}` \
         leaves the table as it is on the target; or empty it there with TRUNCATE, then remove",
        accepting(&written)
    )))
}

async fn has_foreign_rows(
    ctx: &Context<Database>,
    target: &mut Session<Target, ReadWrite>,
    plan: &TablePlan,
    copied: Option<u64>,
) -> Result<bool, Failure> {
    let name = QualifiedName::try_from(&plan.name)?;
    let filter = match &plan.class {
        TableClass::ExtensionRows { filter } => filter.as_str(),
        _ => "",
    };
    let transaction = ctx.begin(target).await?;
    // Locked, it stays the table that is looked at.
    let lock = format!("LOCK TABLE ONLY {name} IN ACCESS SHARE MODE");
    transaction.batch(LOOK, &lock).await?;
    let doing = transaction.inner().doing(LOOK);
    let sql = "SELECT relkind = 'r' FROM pg_catalog.pg_class WHERE oid = pg_catalog.to_regclass($1)";
    if !doing
        .query_one(sql, &[&name.to_string()])
        .await?
        .get::<_, bool>(0)
    {
        let message = format!("{name} is no table on the target any more");
        return Err(Failure::new(Code::PlanChanged, message).with_side(Side::Target));
    }
    let sql = format!(
        "SELECT pg_catalog.count(*), pg_catalog.count(*) FILTER (WHERE xmin::text <> ALL (
                    ARRAY(SELECT e.xmin::text FROM pghaul.effect e WHERE e.key ~ $1)))
           FROM ONLY {name} {filter}"
    );
    let row = doing
        .query_one(&sql, &[&EffectKey::copies_of([plan.number])])
        .await?;
    let (rows, foreign): (i64, i64) = (row.get(0), row.get(1));
    transaction.rollback().await?;
    let deleted = copied.is_some_and(|copied| rows.unsigned_abs() < copied);
    Ok(rows > 0 && (foreign > 0 || deleted))
}
