//! The schema `public`, where the source has dropped or renamed it.
//!
//! A new database has one. The archive does not say that the source has none; and of one that was renamed it leaves out the rights
//! that every database's `public` has at first.

use pghaul_step::postgres::{ReadOnly, Session, Source};
use pghaul_step::renaming::renamed;
use pghaul_step::{Context, Database, Failure};

/// The effect key of the rights of a schema that was `public`.
const RIGHTS: &str = "schema/public/rights";

/// The statement that drops it in a new database, where the source has none.
pub(crate) async fn dropping(source: &Session<Source, ReadOnly>) -> Result<Option<&'static str>, Failure> {
    let sql = "SELECT pg_catalog.to_regnamespace('public') IS NULL";
    let doing = source.doing("look for the schema public");
    let lacking: bool = doing.query_one(sql, &[]).await?.get(0);
    Ok(lacking.then_some("DROP SCHEMA IF EXISTS public"))
}

/// Grants the rights on a schema that was `public` before it was renamed.
pub(crate) async fn grant_rights_of_renamed(ctx: &Context<Database>) -> Result<(), Failure> {
    let mapping = ctx.mapping();
    if mapping.no_privileges || !ctx.effects(RIGHTS).await?.is_empty() {
        return Ok(());
    }
    let source = ctx.source().await?;
    let doing = source.doing("read the rights on the schema that was public");
    let rows = doing.query(include_str!("public_renamed.sql"), &[]).await?;
    if rows.is_empty() {
        return Ok(());
    }
    let statements: String = rows.iter().map(|row| row.get::<_, String>(0) + ";\n").collect();
    let statements = renamed(&statements, &mapping, None)?;
    let mut target = ctx.target().await?;
    let transaction = ctx.begin(&mut target).await?;
    let operation = "grant the rights on the schema that was public";
    transaction.batch(operation, &statements).await?;
    transaction.effect(RIGHTS).await?;
    transaction.commit(operation).await
}
