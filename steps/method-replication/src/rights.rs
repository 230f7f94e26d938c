//! Whether the subscription acts as pghaul's role, because the tables' owners may not do what replication does.

use pghaul_step::apply_rights::{ACTS_AS_TABLE_OWNER, NewOwners, Powerless, powerless};
use pghaul_step::postgres::{ReadWrite, Session, Target};
use pghaul_step::{Context, Database, Failure, TableClass};
use serde::Serialize;

/// The item under which the journal holds the tables for which the subscription acts as pghaul's role.
const ITEM: &str = "run as owner";

/// The tables, with the reasons.
#[derive(Debug, Serialize)]
struct ActsAsPghaul {
    tables: Vec<Powerless>,
}

/// The option of `CREATE SUBSCRIPTION`, after a comma; empty where the tables' owners may do everything.
pub(crate) async fn option(
    ctx: &Context<Database>,
    target: &Session<Target, ReadWrite>,
) -> Result<&'static str, Failure> {
    if target.server_version() < ACTS_AS_TABLE_OWNER {
        return Ok("");
    }
    let replicated = ctx
        .plan()
        .tables
        .iter()
        .filter(|table| table.class == TableClass::Replicate);
    let tables = replicated
        .map(|table| (table.name.schema.clone(), table.name.name.clone()))
        .unzip();
    let tables = powerless(target, Some(tables), &NewOwners::default()).await?;
    if tables.is_empty() {
        return Ok("");
    }
    tracing::warn!(
        database = %ctx.database(),
        tables = tables.len(),
        "the subscription acts as pghaul's role (run_as_owner): code in triggers, defaults and constraints of its tables has the role's rights until the migration is removed"
    );
    ctx.item(ITEM, &ActsAsPghaul { tables }).await?;
    Ok(", run_as_owner = true")
}
