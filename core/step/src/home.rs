//! Users' expressions run under the settings that they have at home: in the source's database.
//!
//! Materialized views, generated columns, CHECK constraints and expressions of indexes may call functions whose results
//! depend on DateStyle, TimeZone, a tenant in a setting of the application, and the like. pghaul's sessions fix what changes
//! how texts are read; so in the transactions in which such expressions run, the source's values are set again.

use crate::context::Context;
use crate::ownership::OwnedTransaction;
use crate::scope::Database;
use pghaul_core::Failure;
use pghaul_postgres::session::settings::{GOVERNED, Home as Within};
use pghaul_postgres::{Doing, HomeSettings, ReadWrite, Session, Target, Transaction, literal};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Sets the settings in $1 to the values in $2 for the transaction.
const SET: &str = "SELECT pg_catalog.set_config(s.name, s.value, true) \
                   FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) AS s (name, value)";

const OPERATION: &str = "set the settings that expressions of users have at home";

/// What runs users' expressions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expressions<'a> {
    /// COPY into a table.
    OfRows,
    /// Statements of the archive: they build indexes and check constraints.
    OfBuilds,
    /// REFRESH MATERIALIZED VIEW, by the view's owner.
    OfView {
        /// The owner on the source.
        owner: &'a str,
    },
}

/// The settings of the source's database and of its roles that the target takes.
#[derive(Debug)]
pub struct Home(HomeSettings);

impl Home {
    /// Reads them, once in a run. The target database must exist.
    ///
    /// # Errors
    /// When a server can't be asked.
    pub async fn of(ctx: &Context<Database>) -> Result<Arc<Self>, Failure> {
        if let Some(home) = ctx.kept::<Self>() {
            return Ok(home);
        }
        let source = ctx.source_server();
        let settings = source.home_settings(ctx.database().as_str()).await?;
        let mut target = ctx.target().await?;
        let home = Self::within(settings, &mut target).await?;
        target.close().await;
        Ok(ctx.keep(home))
    }

    /// Those of the settings that the target takes, in the database of a session.
    ///
    /// # Errors
    /// When the target can't be asked.
    pub async fn within(
        mut settings: HomeSettings,
        target: &mut Session<Target, ReadWrite>,
    ) -> Result<Self, Failure> {
        let refused = refused(target, &settings).await?;
        let roles = settings.roles.values_mut();
        for part in roles.chain([&mut settings.database]) {
            part.retain(|name, value| !refused.contains(&(name.clone(), value.clone())));
        }
        Ok(Self(settings))
    }

    /// Statements that run under the database's `search_path`, behind `pg_catalog`; what follows them, under an empty one.
    ///
    /// # Errors
    /// When the path can't be quoted.
    pub fn with_search_path(&self, statements: &str) -> Result<String, Failure> {
        let path = self.0.database.get("search_path").map_or("", String::as_str);
        let path = match path {
            "" | "\"\"" => "pg_catalog".to_owned(),
            path => format!("pg_catalog, {path}"),
        };
        let path = literal(&path)?;
        Ok(format!(
            "SELECT pg_catalog.set_config('search_path', {path}, true);\n{statements}\nSET LOCAL search_path = '';\n"
        ))
    }

    /// Sets them for what is left of a transaction.
    ///
    /// # Errors
    /// When the target can't be asked.
    pub async fn enter(
        &self,
        transaction: &OwnedTransaction<'_>,
        expressions: Expressions<'_>,
    ) -> Result<(), Failure> {
        self.set(&transaction.doing(OPERATION), expressions).await
    }

    /// The same in a transaction that is not of a step's.
    ///
    /// # Errors
    /// When the target can't be asked.
    pub async fn enter_plain(
        &self,
        transaction: &Transaction<'_, Target>,
        expressions: Expressions<'_>,
    ) -> Result<(), Failure> {
        self.set(&transaction.doing(OPERATION), expressions).await
    }

    async fn set(&self, doing: &Doing<'_, ReadWrite>, expressions: Expressions<'_>) -> Result<(), Failure> {
        let mut settings = self.0.database.clone();
        if let Expressions::OfView { owner } = expressions {
            let own = self.0.roles.get(owner).into_iter().flatten();
            settings.extend(own.map(|(name, value)| (name.clone(), value.clone())));
        }
        settings.retain(|name, _| applies(name, expressions));
        if expressions == Expressions::OfRows {
            // Amounts are written and read without a currency, on both sides.
            settings.insert("lc_monetary".to_owned(), "C".to_owned());
        }
        let (names, values): (Vec<String>, Vec<String>) = settings.into_iter().unzip();
        doing.query(SET, &[&names, &values]).await?;
        Ok(())
    }
}

/// Whether a setting is safe while something else than users' expressions is read in the same transaction.
fn applies(name: &str, expressions: Expressions<'_>) -> bool {
    let known = GOVERNED
        .iter()
        .find(|setting| setting.name.eq_ignore_ascii_case(name));
    let within = known.map_or(Within::Everywhere, |setting| setting.home);
    match expressions {
        Expressions::OfRows | Expressions::OfBuilds => within == Within::Everywhere,
        Expressions::OfView { .. } => within != Within::Nowhere,
    }
}

/// The settings that the target does not take: a locale that it lacks, or one that takes a superuser.
async fn refused(
    target: &mut Session<Target, ReadWrite>,
    settings: &HomeSettings,
) -> Result<BTreeSet<(String, String)>, Failure> {
    let parts = settings.roles.values().chain([&settings.database]);
    let pairs = parts.flatten().map(|(name, value)| (name.clone(), value.clone()));
    let all: BTreeSet<(String, String)> = pairs.collect();
    let mut refused = BTreeSet::new();
    let mut transaction = target.transaction().await?;
    for (name, value) in all {
        let savepoint = transaction.savepoint().await?;
        let doing = savepoint.doing("try a setting of the source's database");
        let sql = "SELECT pg_catalog.set_config($1, $2, true)";
        match doing.query(sql, &[&name, &value]).await {
            Ok(_) => {}
            Err(error) if error.sqlstate().is_some() => {
                tracing::warn!(setting = %name, error = %error.message(), "the target does not take a setting of the source's database");
                refused.insert((name, value));
            }
            Err(error) => return Err(error.into()),
        }
        savepoint.rollback().await?;
    }
    transaction.rollback().await?;
    Ok(refused)
}
