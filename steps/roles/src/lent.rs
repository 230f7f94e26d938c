//! Memberships of pghaul's own role, where that is no superuser: without them it could make no other role the owner of
//! anything, and could not build or fill what belongs to others.
//!
//! They are noted in the journal before they are granted, and revoked when every database is done or removed. What pghaul's
//! role was before, it stays.

use crate::{Intent, LeftOut, attempt};
use pghaul_step::owners::{HAS_OPTIONS, Reach, concerned, reach};
use pghaul_step::postgres::{Ident, QuoteError, ReadOnly, ReadWrite, Session, Source, Target};
use pghaul_step::{Cluster, Context, Failure};
use std::collections::BTreeSet;

/// Makes pghaul's role a member of the roles that own objects of the databases or have granted rights on them.
pub(crate) async fn lend_what_is_needed(
    ctx: &Context<Cluster>,
    target: &Session<Target, ReadWrite>,
    left_out: &mut Vec<LeftOut>,
) -> Result<(), Failure> {
    let mapping = ctx.mapping();
    let mut needed: BTreeSet<String> = BTreeSet::new();
    for database in ctx.databases() {
        let session: Session<Source, ReadOnly> = ctx.source_server().connect(database.as_str()).await?;
        needed.extend(
            concerned(&session, &mapping)
                .await?
                .into_iter()
                .map(|concerned| concerned.role),
        );
        session.close().await;
    }
    let to_lend = grantable(target, &needed).await?;
    let known = noted(ctx)?;
    if !to_lend.is_subset(&known) {
        let intent = Intent {
            to_lend: to_lend.clone(),
            ..Intent::default()
        };
        ctx.record(&intent).await?;
    }
    for role in &to_lend {
        let statement = grant(role, target.server_version())?;
        left_out.extend(attempt(ctx, target, &operation(role), &statement).await?);
    }
    Ok(())
}

/// Grants anew what was revoked.
pub(crate) async fn lend_again(ctx: &Context<Cluster>) -> Result<(), Failure> {
    let known = noted(ctx)?;
    if known.is_empty() {
        return Ok(());
    }
    let target = ctx.target().await?;
    for role in grantable(&target, &known).await? {
        let statement = grant(&role, target.server_version())?;
        let operation = operation(&role);
        ctx.act(&operation, target.doing(&operation).batch(&statement))
            .await?;
    }
    target.close().await;
    Ok(())
}

/// Revokes the memberships that are noted.
pub(crate) async fn give_back(ctx: &Context<Cluster>) -> Result<(), Failure> {
    let known = noted(ctx)?;
    if known.is_empty() {
        return Ok(());
    }
    let target = ctx.target().await?;
    let sql = match target.server_version() {
        HAS_OPTIONS.. => include_str!("lent.sql"),
        _ => include_str!("lent_15.sql"),
    };
    let known: Vec<String> = known.into_iter().collect();
    let rows = target
        .doing("read the memberships of pghaul's role")
        .query(sql, &[&known])
        .await?;
    for row in rows {
        let role: String = row.get(0);
        let statement = format!("REVOKE {} FROM CURRENT_USER", Ident::new(&role)?);
        let operation = format!("revoke {role} from pghaul's role");
        ctx.act(&operation, target.doing(&operation).batch(&statement))
            .await?;
    }
    target.close().await;
    Ok(())
}

/// A statement that is run while pghaul's role is a member of another role, for PostgreSQL 16 and newer.
pub(crate) fn during(role: &str, statement: &str) -> Result<String, QuoteError> {
    let grant = grant(role, HAS_OPTIONS)?;
    Ok(format!(
        "{grant}; {statement}; REVOKE {} FROM CURRENT_USER",
        Ident::new(role)?
    ))
}

fn noted(ctx: &Context<Cluster>) -> Result<BTreeSet<String>, Failure> {
    let intents = ctx.facts::<Intent>()?.into_iter();
    Ok(intents.flat_map(|intent| intent.to_lend).collect())
}

async fn grantable(
    target: &Session<Target, ReadWrite>,
    roles: &BTreeSet<String>,
) -> Result<BTreeSet<String>, Failure> {
    let reach = reach(target).await?.into_iter();
    let grantable = reach.filter(|(role, reach)| *reach == Reach::Grantable && roles.contains(role));
    Ok(grantable.map(|(role, _)| role).collect())
}

fn grant(role: &str, target_version: u32) -> Result<String, QuoteError> {
    let options = match target_version {
        HAS_OPTIONS.. => " WITH INHERIT TRUE, SET TRUE",
        _ => "",
    };
    Ok(format!("GRANT {} TO CURRENT_USER{options}", Ident::new(role)?))
}

fn operation(role: &str) -> String {
    format!("grant {role} to pghaul's role")
}
