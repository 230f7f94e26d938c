//! Which large objects of the target are as pghaul has written them.
//!
//! Every transaction that writes some notes its id. So an object that somebody else has created, or whose owner or privileges
//! somebody else has changed, has another `xmin` in `pg_largeobject_metadata`, and one whose content was written has another
//! in `pg_largeobject`, which a role without the right to read it can't ask.

use pghaul_contracts::{EffectKey, LargeObjectsOutput};
use pghaul_step::postgres::{ReadOnly, ReadWrite, Session, Target};
use pghaul_step::workers::held;
use pghaul_step::{Context, Database, Failure, Method, OwnedTransaction};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

/// Of a dump, whose notes on the target end with it: the ids of its transactions.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Transactions {
    transactions: BTreeSet<u32>,
}

/// What is known of an object of the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Own {
    /// Whether pghaul has created it, and nobody else has changed its owner or privileges.
    pub(crate) object: bool,
    /// Whether pghaul has written its content; absent where the role may not ask.
    pub(crate) content: Option<bool>,
}

impl Own {
    /// Whether others have written its content, or may have created it.
    pub(crate) fn is_foreign(self) -> bool {
        !self.content.unwrap_or(self.object)
    }
}

/// The ids of pghaul's transactions, as `xmin` shows them.
#[derive(Debug)]
pub(crate) struct OwnWrites {
    transactions: Mutex<BTreeSet<u32>>,
    /// Whether all of them were noted: not so where an earlier release has begun.
    is_complete: bool,
    reads_contents: bool,
}

impl OwnWrites {
    pub(crate) async fn read(
        ctx: &Context<Database>,
        target: &Session<Target, ReadOnly>,
    ) -> Result<Self, Failure> {
        let mut transactions = noted(ctx).await?;
        if ctx.method() == Method::Dump {
            let journaled = ctx.facts::<Transactions>()?;
            transactions.extend(journaled.into_iter().flat_map(|noted| noted.transactions));
        }
        let sql = "SELECT pg_catalog.has_table_privilege('pg_catalog.pg_largeobject', 'SELECT')";
        let doing = target.doing("look for the right to read pg_largeobject");
        let output = ctx.output::<LargeObjectsOutput>()?;
        Ok(Self {
            is_complete: output.map_or(!transactions.is_empty(), |output| output.noted),
            transactions: Mutex::new(transactions),
            reads_contents: doing.query_one(sql, &[]).await?.get(0),
        })
    }

    /// Whether what others have written can be told.
    pub(crate) fn tell(&self) -> bool {
        self.is_complete
    }

    /// Notes the transaction: it writes large objects.
    pub(crate) async fn note(&self, transaction: &OwnedTransaction<'_>) -> Result<(), Failure> {
        // Without its epoch, as it stands in the rows.
        let sql = "SELECT (pg_catalog.txid_current() & 4294967295)::text::oid";
        let doing = transaction.doing("read the transaction's id");
        let id: u32 = doing.query_one(sql, &[]).await?.get(0);
        transaction
            .effect_again(&EffectKey::LargeObjects(id).to_string())
            .await?;
        held(&self.transactions).insert(id);
        Ok(())
    }

    /// What is known of these objects.
    pub(crate) async fn of(
        &self,
        target: &Session<Target, ReadWrite>,
        oids: &[u32],
    ) -> Result<BTreeMap<u32, Own>, Failure> {
        if oids.is_empty() {
            return Ok(BTreeMap::new());
        }
        let transactions: Vec<String> = held(&self.transactions).iter().map(u32::to_string).collect();
        let content = match self.reads_contents {
            true => include_str!("own_content.sql"),
            false => "NULL::boolean",
        };
        let sql = include_str!("own.sql").replace("{content}", content);
        let doing = target.doing("look for large objects that others have written");
        let rows = doing.query(&sql, &[&oids, &transactions]).await?;
        let own = |row: &pghaul_step::postgres::Row| Own {
            object: row.get("object"),
            content: row.get("content"),
        };
        Ok(rows.iter().map(|row| (row.get("oid"), own(row))).collect())
    }
}

/// Journals what is noted of a dump.
pub(crate) async fn record(ctx: &Context<Database>) -> Result<(), Failure> {
    let transactions = noted(ctx).await?;
    match transactions.is_empty() {
        true => Ok(()),
        false => ctx.record(&Transactions { transactions }).await,
    }
}

async fn noted(ctx: &Context<Database>) -> Result<BTreeSet<u32>, Failure> {
    let keys = ctx.effects(EffectKey::LARGE_OBJECTS).await?;
    let id = |key: String| match key.parse() {
        Ok(EffectKey::LargeObjects(id)) => Some(id),
        _ => None,
    };
    Ok(keys.into_iter().filter_map(id).collect())
}
