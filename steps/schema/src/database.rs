//! The target database: adopted where it exists and is empty, created where it does not.

use crate::public;
use pghaul_contracts::Origin;
use pghaul_step::check::{maintenance, maintenance_for_reading};
use pghaul_step::ownership::owner;
use pghaul_step::postgres::{Ident, ReadOnly, ReadWrite, Row, Server, Session, Source, Target, literal};
use pghaul_step::{Code, Context, Database, Failure, Side};
use std::time::Duration;

/// The name under which a database is created, until it has an owner row and gets its real name.
pub(crate) fn temporary_name(ctx: &Context<Database>) -> String {
    format!("pghaul_{}_{}_new", ctx.migration(), ctx.plan().number)
}

/// Makes the target database exist and be ours. Killed at any instant, it can be called again.
pub(crate) async fn obtain(ctx: &Context<Database>, head: &pghaul_step::Head) -> Result<Origin, Failure> {
    let name = ctx.target_database();
    let name = name.as_str();
    if exists(ctx.target_server(), name).await? {
        let mut session = ctx.target().await?;
        return match owner(&session).await? {
            Some(migration) if migration == ctx.migration().as_str() => Ok(Origin::Adopted),
            Some(migration) => Err(refuse(name, format!("it belongs to the migration {migration}"))),
            None => {
                let found = objects(&session).await?;
                if !found.is_empty() {
                    return Err(refuse(
                        name,
                        format!("it is not empty: it has {}", found.join(", ")),
                    ));
                }
                ctx.ownership().establish(&mut session, head).await?;
                Ok(Origin::Adopted)
            }
        };
    }
    let temporary = temporary_name(ctx);
    drop_database(ctx, &temporary).await?;
    let target_version = {
        let on_target = maintenance_for_reading(ctx.target_server()).await?;
        on_target.server_version()
    };
    let creation = Creation::read(&*ctx.source().await?, target_version).await?;
    let create = creation.statement(&temporary)?;
    let administration: Session<Target, ReadWrite> = maintenance(ctx.target_server()).await?;
    let doing = administration.doing("create the database");
    ctx.act("create the database", doing.batch(&create)).await?;
    let mut session: Session<Target, ReadWrite> = ctx.target_server().connect(&temporary).await?;
    if let Some(statement) = public::dropping(&*ctx.source().await?).await? {
        match session.doing("drop the schema public").batch(statement).await {
            // Before PostgreSQL 15 it belongs to a superuser: it stays, and is listed.
            Err(error) if error.sqlstate() == Some("42501") => {}
            outcome => outcome?,
        }
    }
    ctx.ownership().establish(&mut session, head).await?;
    session.close().await;
    rename(ctx, &administration, &temporary, name).await?;
    Ok(Origin::Created)
}

/// Drops what a killed run may have left: a database under its temporary name has never held a row.
pub(crate) async fn drop_database(ctx: &Context<Database>, name: &str) -> Result<(), Failure> {
    let administration: Session<Target, ReadWrite> = maintenance(ctx.target_server()).await?;
    let statement = format!("DROP DATABASE IF EXISTS {}", Ident::new(name)?);
    administration
        .doing("drop a half-made database")
        .batch(&statement)
        .await?;
    Ok(())
}

async fn rename(
    ctx: &Context<Database>,
    administration: &Session<Target, ReadWrite>,
    from: &str,
    to: &str,
) -> Result<(), Failure> {
    let statement = format!(
        "ALTER DATABASE {} RENAME TO {}",
        Ident::new(from)?,
        Ident::new(to)?
    );
    // pghaul's own session in it has said goodbye, but its server process may need a moment to end.
    for _ in 0..50 {
        let doing = administration.doing("rename the new database");
        match ctx.act("rename the new database", doing.batch(&statement)).await {
            Err(error) if error.sqlstate() == Some("55006") => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            other => return Ok(other?),
        }
    }
    Err(Failure::new(
        Code::LockTimeout,
        format!("database {from} stays in use and can't be renamed"),
    )
    .with_side(Side::Target)
    .with_hint("end the sessions in it (pg_stat_activity), then run again"))
}

fn refuse(name: &str, why: String) -> Failure {
    Failure::new(
        Code::TargetNotOurs,
        format!("database {name} on the target can't be used: {why}"),
    )
    .with_side(Side::Target)
    .with_hint(format!(
        "drop or rename database {name} on the target and run again; or begin another migration without it"
    ))
}

/// Whether a database exists.
pub(crate) async fn exists(target: &Server<Target>, name: &str) -> Result<bool, Failure> {
    let session = maintenance_for_reading(target).await?;
    let sql = "SELECT 1 FROM pg_catalog.pg_database WHERE datname = $1";
    Ok(session
        .doing("look for the database")
        .query_opt(sql, &[&name])
        .await?
        .is_some())
}

async fn objects(session: &Session<Target, ReadWrite>) -> Result<Vec<String>, Failure> {
    let doing = session.doing("look whether the target database is empty");
    let rows = doing.query(include_str!("not_empty.sql"), &[]).await?;
    Ok(rows.iter().map(|row| row.get::<_, String>(0)).collect())
}

/// `CREATE DATABASE` with the encoding and the locale of the source's database.
pub(crate) struct Creation {
    row: Row,
    target_version: u32,
}

impl Creation {
    /// Reads the encoding and the locale in a session in the database.
    pub(crate) async fn read(
        source: &Session<Source, ReadOnly>,
        target_version: u32,
    ) -> Result<Self, Failure> {
        let doing = source.doing("read the encoding and locale of the database");
        let row = doing.query_one(include_str!("target_database.sql"), &[]).await?;
        Ok(Self { row, target_version })
    }

    /// The statement that creates a database of this name.
    pub(crate) fn statement(&self, name: &str) -> Result<String, Failure> {
        statement(name, &self.row, self.target_version)
    }
}

fn statement(name: &str, row: &Row, target_version: u32) -> Result<String, Failure> {
    let text = |column: &str| row.get::<_, Option<String>>(column);
    let mut options = vec![
        "TEMPLATE = template0".to_owned(),
        format!("ENCODING = {}", literal(&text("encoding").unwrap_or_default())?),
    ];
    for (option, column) in [("LC_COLLATE", "lc_collate"), ("LC_CTYPE", "lc_ctype")] {
        if let Some(value) = text(column) {
            options.push(format!("{option} = {}", literal(&value)?));
        }
    }
    let provider = text("provider").unwrap_or_default();
    if target_version >= 150_000 {
        let (provider, locale) = match provider.as_str() {
            "i" => ("icu", Some("ICU_LOCALE")),
            "b" => ("builtin", Some("BUILTIN_LOCALE")),
            _ => ("libc", None),
        };
        options.push(format!("LOCALE_PROVIDER = {provider}"));
        if let (Some(option), Some(value)) = (locale, text("locale")) {
            options.push(format!("{option} = {}", literal(&value)?));
        }
        if let Some(rules) = text("icu_rules") {
            options.push(format!("ICU_RULES = {}", literal(&rules)?));
        }
    }
    Ok(format!(
        "CREATE DATABASE {} WITH {}",
        Ident::new(name)?,
        options.join(" ")
    ))
}
