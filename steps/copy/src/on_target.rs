//! Rows on the target that pghaul has not copied: somebody uses the table there already.
//!
//! The transaction that has copied a table has noted its effect keys too. So a row that another transaction has written has another
//! `xmin` than these keys, and rows are missing where somebody has deleted some. They are looked for before anything is copied,
//! and once more by the transaction that replaces them, under a lock.

use pghaul_contracts::{CopiedTable, EffectKey};
use pghaul_step::postgres::{QualifiedName, ReadWrite, Session, Target};
use pghaul_step::{Code, Context, Database, Failure, OwnedTransaction, Side, TablePlan, listed, shell_word};
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
            written.push(plan.object());
        }
    }
    if written.is_empty() {
        return Ok(());
    }
    Err(refusal(&written))
}

fn refusal(written: &[String]) -> Failure {
    let message = format!(
        "written to on the target since pghaul copied it: {}",
        listed(written)
    );
    Failure::new(Code::NotSafeToRemove, message)
        .with_side(Side::Target)
        .with_hint(format!(
            "`pghaul remove` copies such a table from the source again, which would discard these rows; `{}` \
             leaves the table as it is on the target; or empty it there with TRUNCATE, then remove",
            accepting(written)
        ))
}

/// A look at the rows of a table, which stays the table that is looked at until the transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// Others may write meanwhile.
    Glance,
    /// Nobody else writes until the transaction ends.
    Exclusive,
}

impl Look {
    fn lock(self) -> &'static str {
        match self {
            Self::Glance => "ACCESS SHARE",
            Self::Exclusive => "SHARE ROW EXCLUSIVE",
        }
    }
}

async fn has_foreign_rows(
    ctx: &Context<Database>,
    target: &mut Session<Target, ReadWrite>,
    plan: &TablePlan,
    copied: Option<u64>,
) -> Result<bool, Failure> {
    let (name, filter) = (
        QualifiedName::try_from(&plan.name)?,
        plan.filter().map(str::to_owned),
    );
    let table = GuardedTable::new(name, plan.number, filter, copied);
    let transaction = ctx.begin(target).await?;
    let found = table.has_foreign_rows(&transaction, Look::Glance).await?;
    transaction.rollback().await?;
    Ok(found)
}

/// A table whose rows are only replaced where they are pghaul's.
#[derive(Debug, Clone)]
pub(crate) struct GuardedTable {
    name: QualifiedName,
    number: u32,
    filter: Option<String>,
    /// How many rows the last copy had, where that is known.
    copied: Option<u64>,
}

impl GuardedTable {
    pub(crate) fn new(name: QualifiedName, number: u32, filter: Option<String>, copied: Option<u64>) -> Self {
        Self {
            name,
            number,
            filter,
            copied,
        }
    }

    /// Refuses to replace rows of others that were written since the first look.
    ///
    /// # Errors
    /// [`Code::NotSafeToRemove`].
    pub(crate) async fn refuse_foreign_rows(
        &self,
        transaction: &OwnedTransaction<'_>,
    ) -> Result<(), Failure> {
        if !self.has_foreign_rows(transaction, Look::Exclusive).await? {
            return Ok(());
        }
        Err(refusal(&[format!("table {}", self.name.short())]))
    }

    async fn has_foreign_rows(
        &self,
        transaction: &OwnedTransaction<'_>,
        look: Look,
    ) -> Result<bool, Failure> {
        let name = &self.name;
        let lock = format!("LOCK TABLE ONLY {name} IN {} MODE", look.lock());
        transaction.batch(LOOK, &lock).await?;
        let doing = transaction.doing(LOOK);
        let sql = "SELECT relkind = 'r' FROM pg_catalog.pg_class WHERE oid = pg_catalog.to_regclass($1)";
        if !doing
            .query_one(sql, &[&name.to_string()])
            .await?
            .get::<_, bool>(0)
        {
            let message = format!("{name} is no table on the target any more");
            return Err(Failure::new(Code::PlanChanged, message).with_side(Side::Target));
        }
        let copies = EffectKey::copies_of([self.number]);
        let sql = "SELECT key FROM pghaul.effect WHERE key ~ $1";
        let keys: Vec<String> = doing
            .query(sql, &[&copies])
            .await?
            .iter()
            .map(|row| row.get(0))
            .collect();
        let sql = format!(
            "SELECT pg_catalog.count(*), pg_catalog.count(*) FILTER (WHERE xmin::text <> ALL (
                        ARRAY(SELECT e.xmin::text FROM pghaul.effect e WHERE e.key ~ $1)))
               FROM ONLY {name} {}",
            self.filter.as_deref().unwrap_or_default()
        );
        let row = doing.query_one(&sql, &[&copies]).await?;
        let (rows, foreign): (i64, i64) = (row.get(0), row.get(1));
        let fewer = self.copied.is_some_and(|copied| rows.unsigned_abs() < copied);
        // Some parts alone are what a copy has left that was killed.
        let is_partial = !keys.is_empty() && !EffectKey::any_complete(&keys, self.number);
        Ok(rows > 0 && (foreign > 0 || fewer && !is_partial))
    }
}

/// The command that leaves objects as they are.
pub(crate) fn accepting(objects: &[String]) -> String {
    let options = objects
        .iter()
        .map(|object| format!(" --accept-incomplete {}", shell_word(object)));
    format!("pghaul remove{}", options.collect::<String>())
}
