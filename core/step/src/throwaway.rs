//! A database on the target in which a check tries things, and which is dropped afterwards.
//!
//! `CREATE DATABASE` can't be rolled back. So the name of the database says which session asked for it, by its process
//! and the time of its start: once that session has ended, [`drop_abandoned`] of any later command drops the database.

use crate::maintenance::maintenance;
use pghaul_core::{Code, Failure, Side};
use pghaul_postgres::{
    Ident, PgError, ReadOnly, ReadWrite, Row, Server, Session, SideMarker, Target, literal,
};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// How long sessions in the database may take to end before it is dropped, and the pause between two tries.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(50);

/// 55006 object_in_use.
const IN_USE: &str = "55006";

/// The names of all throwaway databases, as a regular expression of PostgreSQL.
pub const NAMES: &str = "^pghaul_rehearsal_[0-9]+_[0-9]+_[0-9]+$";

/// A database that only its owner and superusers can enter, and that its owner drops.
pub struct ThrowawayDatabase {
    server: Server<Target>,
    name: String,
}

impl ThrowawayDatabase {
    /// Creates one, with the statement that is made for its name. It counts as abandoned when `keeper` has ended.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn create(
        server: &Server<Target>,
        keeper: &Session<Target, ReadOnly>,
        statement: impl FnOnce(&str) -> Result<String, Failure>,
        comment: &str,
    ) -> Result<Self, Failure> {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        // Where the role of the session is not the one that has logged in, the start is hidden.
        let sql = "SELECT 'pghaul_rehearsal_' || pid || '_' || \
                   coalesce((pg_catalog.date_part('epoch', backend_start) * 1000)::bigint, 0) \
                   FROM pg_catalog.pg_stat_activity WHERE pid = pg_catalog.pg_backend_pid()";
        let session: String = keeper
            .doing("read the start of the session")
            .query_one(sql, &[])
            .await?
            .get(0);
        let name = format!("{session}_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let create = statement(&name)?;
        let database = Ident::new(name.as_str())?;
        let for_its_owner = format!(
            "REVOKE ALL ON DATABASE {database} FROM PUBLIC; COMMENT ON DATABASE {database} IS {}",
            literal(comment)?
        );
        let administration: Session<Target, ReadWrite> = maintenance(server).await?;
        let doing = administration.doing("create a database for a rehearsal");
        doing.batch(&create).await?;
        let closed = doing.batch(&for_its_owner).await;
        administration.close().await;
        let database = Self {
            server: server.clone(),
            name,
        };
        if let Err(error) = closed {
            database.remove().await?;
            return Err(error.into());
        }
        Ok(database)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A session in it.
    ///
    /// # Errors
    /// When the server can't be reached.
    pub async fn session(&self) -> Result<Session<Target, ReadWrite>, Failure> {
        Ok(self.server.connect(&self.name).await?)
    }

    /// Drops it. No session of pghaul's may be open in it.
    ///
    /// # Errors
    /// When it can't be dropped; a later command does it.
    pub async fn remove(self) -> Result<(), Failure> {
        let administration: Session<Target, ReadWrite> = maintenance(&self.server).await?;
        let dropped = drop_database(&administration, &self.name).await;
        administration.close().await;
        dropped
    }
}

/// A throwaway database that is on a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Throwaway {
    /// Its name.
    pub name: String,
    /// Whether the session that asked for it is still there.
    pub in_use: bool,
}

/// All throwaway databases of a server, whoever made them.
///
/// # Errors
/// When the server can't be asked.
pub async fn throwaways<S: SideMarker>(session: &Session<S, ReadOnly>) -> Result<Vec<Throwaway>, PgError> {
    let doing = session.doing("look for databases of rehearsals");
    let rows = doing.query(include_str!("throwaways.sql"), &[&NAMES]).await?;
    let found = |row: &Row| Throwaway {
        name: row.get("name"),
        in_use: row.get("in_use"),
    };
    Ok(rows.iter().map(found).collect())
}

/// Drops the throwaway databases whose check was killed. Returns their names.
///
/// One that another role made may stay: only its owner and superusers can drop it.
///
/// # Errors
/// When the server can't be asked.
pub async fn drop_abandoned(
    server: &Server<Target>,
    session: &Session<Target, ReadOnly>,
) -> Result<Vec<String>, Failure> {
    let abandoned = throwaways(session)
        .await?
        .into_iter()
        .filter(|found| !found.in_use);
    let names: Vec<String> = abandoned.map(|found| found.name).collect();
    if names.is_empty() || session.is_standby().await? {
        return Ok(Vec::new());
    }
    let administration: Session<Target, ReadWrite> = maintenance(server).await?;
    let mut dropped = Vec::new();
    for name in names {
        match drop_database(&administration, &name).await {
            Ok(()) => {
                tracing::info!(database = name, "dropped what a rehearsal had left");
                dropped.push(name);
            }
            Err(failure) if failure.sqlstate.is_some() => {
                tracing::warn!(database = name, %failure, "what a rehearsal has left can't be dropped");
            }
            Err(failure) => return Err(failure),
        }
    }
    administration.close().await;
    Ok(dropped)
}

/// Drops a database, after ending what is still connected to it: a statement of a killed client, or a background worker
/// of an extension.
async fn drop_database(administration: &Session<Target, ReadWrite>, name: &str) -> Result<(), Failure> {
    let statement = format!("DROP DATABASE IF EXISTS {}", Ident::new(name)?);
    let doing = administration.doing("drop the database of a rehearsal");
    let end =
        "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE datname = $1";
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        match doing.batch(&statement).await {
            Err(error) if error.sqlstate() == Some(IN_USE) => {
                if tokio::time::Instant::now() >= deadline {
                    return Err(in_use(name));
                }
                // What may not be ended has to end by itself.
                match doing.query(end, &[&name]).await {
                    Err(error) if error.sqlstate().is_none() => return Err(error.into()),
                    _ => tokio::time::sleep(PAUSE).await,
                }
            }
            other => return Ok(other?),
        }
    }
}

fn in_use(name: &str) -> Failure {
    Failure {
        sqlstate: Some(IN_USE.to_owned()),
        ..Failure::new(
            Code::LockTimeout,
            format!("database {name} stays in use and can't be dropped"),
        )
        .with_side(Side::Target)
        .with_hint("end the sessions in it (pg_stat_activity); the next check drops it")
    }
}
