//! The schema `pghaul` in each target database: who may write, and which effects are there.
//!
//! `pghaul.owner` holds one row: the migration and its newest epoch. Every transaction of pghaul's that writes to
//! the database first locks that row FOR SHARE, for its own epoch; a newer runner raises the epoch, and so
//! keeps older ones out, even those whose connections are still alive somewhere. `pghaul.effect` holds a key
//! for every effect that was committed: what the journal does not know yet can be read there.

mod owner;

pub use owner::problem;

use crate::fault::Faults;
use crate::recorder::Recorder;
use owner::Owner;
use pghaul_core::journal::Head;
use pghaul_core::{Code, DatabaseName, Epoch, Failure, MigrationId, failures};
use pghaul_postgres::{Doing, PgError, ReadWrite, Server, Session, Target, ToSql, Transaction};
use std::collections::BTreeSet;

/// Takes everything that pghaul keeps in a target database away.
const DROP_SCHEMA: &str = "DROP SCHEMA pghaul CASCADE";

/// Drops the schema `pghaul`. Users' event triggers that fire always may refuse that, so they are off meanwhile: no other
/// transaction sees it.
///
/// # Errors
/// When it can't be dropped.
pub async fn drop_schema(doing: &Doing<'_, ReadWrite>) -> Result<(), PgError> {
    let row = doing.query_one(include_str!("event_triggers.sql"), &[]).await?;
    let (off, on): (String, String) = (row.get("off"), row.get("on"));
    doing.batch(&format!("{off}; {DROP_SCHEMA}; {on}")).await
}

/// What a look for the schema `pghaul` found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// The database is ours, and now knows pghaul's epoch.
    Claimed,
    /// The database, or the schema in it, does not exist.
    Absent,
}

/// A migration and an epoch: the right to write.
#[derive(Debug, Clone)]
pub struct Ownership {
    migration: MigrationId,
    epoch: Epoch,
}

impl Ownership {
    /// The right of one runner.
    pub fn new(migration: MigrationId, epoch: Epoch) -> Self {
        Self { migration, epoch }
    }

    /// Creates the schema in a database that has just been created, or that was found empty.
    ///
    /// # Errors
    /// When the schema exists, or the role may not create it.
    pub async fn establish(
        &self,
        session: &mut Session<Target, ReadWrite>,
        head: &Head,
    ) -> Result<(), Failure> {
        let transaction = session.transaction().await?;
        let doing = transaction.doing("create the schema pghaul");
        doing.batch(include_str!("schema.sql")).await?;
        let sql = "INSERT INTO pghaul.owner (migration, epoch, journal_seq, head) VALUES ($1, $2, $3, $4)";
        doing
            .execute(
                sql,
                &[
                    &self.migration.as_str(),
                    &self.epoch(),
                    &seq(head),
                    &head.to_string(),
                ],
            )
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Raises the epoch in a database that an earlier runner of this migration has made ours.
    ///
    /// # Errors
    /// [`Code::TargetNotOurs`] where it belongs to another migration, [`Code::JournalStale`] where it has seen
    /// an event that pghaul's journal does not hold, [`Code::AlreadyRunning`] where a newer runner has claimed it.
    pub async fn claim(
        &self,
        target: &Server<Target>,
        database: &DatabaseName,
        journal: &Recorder,
    ) -> Result<Claim, Failure> {
        let mut session = match target.writer(database.as_str()).await {
            Ok(session) => session,
            Err(error) if error.code() == Code::UnknownDatabase => return Ok(Claim::Absent),
            Err(error) => return Err(error.into()),
        };
        if !is_established(&session).await? {
            return Ok(Claim::Absent);
        }
        let transaction = session.transaction().await?;
        let doing = transaction.doing("claim the target database");
        let owner = Owner::read(&doing, " FOR UPDATE").await?;
        owner::judge(self, owner, database, journal).await?;
        let head = journal.head();
        let sql = "UPDATE pghaul.owner SET epoch = $1, journal_seq = $2, head = $3";
        doing
            .execute(sql, &[&self.epoch(), &seq(&head), &head.to_string()])
            .await?;
        transaction.commit().await?;
        Ok(Claim::Claimed)
    }

    /// Writes the journal's head into the target.
    ///
    /// # Errors
    /// When the target can't be written.
    pub async fn note(
        &self,
        target: &Server<Target>,
        database: &DatabaseName,
        head: &Head,
    ) -> Result<(), Failure> {
        let session = target.writer(database.as_str()).await?;
        let sql = "UPDATE pghaul.owner SET journal_seq = $1, head = $2 WHERE migration = $3 AND epoch = $4";
        session
            .doing("note the journal's head")
            .execute(
                sql,
                &[
                    &seq(head),
                    &head.to_string(),
                    &self.migration.as_str(),
                    &self.epoch(),
                ],
            )
            .await?;
        Ok(())
    }

    /// Begins a transaction that holds the owner row FOR SHARE.
    ///
    /// # Errors
    /// [`Code::AlreadyRunning`] where the row does not name us: a newer runner has taken over, or somebody
    /// has removed it.
    pub async fn begin<'s>(
        &self,
        session: &'s mut Session<Target, ReadWrite>,
        faults: &'s Faults,
    ) -> Result<OwnedTransaction<'s>, Failure> {
        let transaction = session.transaction().await?;
        let sql = "SELECT 1 FROM pghaul.owner WHERE migration = $1 AND epoch = $2 FOR SHARE";
        let row = transaction
            .doing("begin a transaction on the target")
            .query_opt(sql, &[&self.migration.as_str(), &self.epoch()])
            .await
            .map_err(schema_is_gone)?;
        if row.is_none() {
            return Err(failures::owner_row_of_another());
        }
        Ok(OwnedTransaction {
            transaction,
            epoch: self.epoch(),
            faults,
        })
    }

    /// Drops the schema `pghaul`, where it is ours, and with it all we know of this database.
    ///
    /// # Errors
    /// When it belongs to somebody else, or can't be dropped.
    pub async fn release(
        &self,
        session: &mut Session<Target, ReadWrite>,
        faults: &Faults,
    ) -> Result<(), Failure> {
        if !is_established(session).await? {
            return Ok(());
        }
        let transaction = self.begin(session, faults).await?;
        transaction.drop_schema().await?;
        transaction.commit("drop the schema pghaul").await
    }

    fn epoch(&self) -> i32 {
        i32::try_from(self.epoch.0).unwrap_or(i32::MAX)
    }
}

/// 42P01 undefined_table: what we knew of this database is gone, and with it the right to write.
fn schema_is_gone(error: PgError) -> Failure {
    if error.sqlstate() != Some("42P01") {
        return error.into();
    }
    let gone = failures::owner_row_gone();
    Failure {
        code: gone.code,
        message: gone.message,
        hint: gone.hint,
        ..error.into()
    }
}

fn seq(head: &Head) -> i64 {
    i64::try_from(head.seq.0).unwrap_or(i64::MAX)
}

/// Whether the session's database has a schema `pghaul` with an owner.
///
/// # Errors
/// When the server can't be asked.
pub async fn is_established<R: pghaul_postgres::Right>(
    session: &Session<Target, R>,
) -> Result<bool, Failure> {
    let row = session
        .doing("look for the schema pghaul")
        .query_one("SELECT pg_catalog.to_regclass('pghaul.owner') IS NOT NULL", &[])
        .await?;
    Ok(row.get(0))
}

/// Whether the session's database has everything that pghaul keeps in it.
///
/// # Errors
/// When the server can't be asked.
pub async fn is_whole<R: pghaul_postgres::Right>(session: &Session<Target, R>) -> Result<bool, Failure> {
    let sql = "SELECT pg_catalog.to_regclass('pghaul.owner') IS NOT NULL AND pg_catalog.to_regclass('pghaul.effect') IS NOT NULL";
    let row = session
        .doing("look for the schema pghaul")
        .query_one(sql, &[])
        .await?;
    Ok(row.get(0))
}

/// Who owns the session's database, if the schema `pghaul` says so.
///
/// # Errors
/// When the server can't be asked.
pub async fn owner<R: pghaul_postgres::Right>(
    session: &Session<Target, R>,
) -> Result<Option<String>, Failure> {
    if !is_established(session).await? {
        return Ok(None);
    }
    let row = session
        .doing("read pghaul.owner")
        .query_opt("SELECT migration FROM pghaul.owner", &[])
        .await?;
    Ok(row.map(|row| row.get(0)))
}

/// The end of a migration's journal as the session's database last heard of it; `None` where the database is not this
/// migration's.
///
/// # Errors
/// When the server can't be asked.
pub async fn head_seen<R: pghaul_postgres::Right>(
    session: &Session<Target, R>,
    migration: &MigrationId,
) -> Result<Option<Head>, Failure> {
    if !is_established(session).await? {
        return Ok(None);
    }
    let sql = "SELECT journal_seq, head FROM pghaul.owner WHERE migration = $1";
    let row = session
        .doing("read pghaul.owner")
        .query_opt(sql, &[&migration.as_str()])
        .await?;
    Ok(row.map(|row| owner::seen(row.get(0), row.get(1))))
}

/// The keys of the effects that begin with a prefix.
///
/// # Errors
/// When the server can't be asked.
pub async fn effects<R: pghaul_postgres::Right>(
    session: &Session<Target, R>,
    prefix: &str,
) -> Result<BTreeSet<String>, Failure> {
    if !is_established(session).await? {
        return Ok(BTreeSet::new());
    }
    let sql = "SELECT key FROM pghaul.effect WHERE pg_catalog.starts_with(key, $1)";
    let sql_10 = "SELECT key FROM pghaul.effect WHERE pg_catalog.left(key, pg_catalog.length($1)) = $1";
    let sql = if session.server_version() < 110_000 {
        sql_10
    } else {
        sql
    };
    let rows = session.doing("read the effects").query(sql, &[&prefix]).await?;
    Ok(rows.into_iter().map(|row| row.get(0)).collect())
}

/// A transaction on the target that holds the owner row: no other runner can work on the database meanwhile.
pub struct OwnedTransaction<'s> {
    transaction: Transaction<'s, Target>,
    epoch: i32,
    faults: &'s Faults,
}

impl<'s> OwnedTransaction<'s> {
    /// As [`Session::doing`], inside of this transaction.
    pub fn doing<'a>(&'a self, operation: &'a str) -> Doing<'a, ReadWrite> {
        self.transaction.doing(operation)
    }

    async fn note(
        &self,
        operation: &str,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<(), Failure> {
        self.transaction.doing(operation).execute(sql, parameters).await?;
        Ok(())
    }

    /// Notes that the effect with this key is there, once the transaction is committed.
    ///
    /// # Errors
    /// When the key is there already, or the target can't be written.
    pub async fn effect(&self, key: &str) -> Result<(), Failure> {
        let sql = "INSERT INTO pghaul.effect (key, epoch) VALUES ($1, $2)";
        self.note("note an effect", sql, &[&key, &self.epoch]).await
    }

    /// Notes an effect that may be noted already.
    ///
    /// # Errors
    /// When the target can't be written.
    pub async fn effect_again(&self, key: &str) -> Result<(), Failure> {
        let sql = "INSERT INTO pghaul.effect (key, epoch) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING";
        self.note("note an effect", sql, &[&key, &self.epoch]).await
    }

    /// Notes several effects at once.
    ///
    /// # Errors
    /// As [`effect`](Self::effect).
    pub async fn effects(&self, keys: &[String]) -> Result<(), Failure> {
        let sql = "INSERT INTO pghaul.effect (key, epoch) SELECT pg_catalog.unnest($1::text[]), $2";
        self.note("note effects", sql, &[&keys, &self.epoch]).await
    }

    /// Forgets these effects, where they are there.
    ///
    /// # Errors
    /// When the target can't be written.
    pub async fn forget_each(&self, keys: &[String]) -> Result<(), Failure> {
        let sql = "DELETE FROM pghaul.effect WHERE key = ANY ($1::text[])";
        self.note("forget effects", sql, &[&keys]).await
    }

    /// Forgets effects whose keys match a regular expression: what they stand for is taken back in this transaction.
    ///
    /// # Errors
    /// When the target can't be written.
    pub async fn forget_matching(&self, pattern: &str) -> Result<(), Failure> {
        let sql = "DELETE FROM pghaul.effect WHERE key ~ $1";
        self.note("forget effects", sql, &[&pattern]).await
    }

    /// Forgets all effects but those whose keys begin with one of these prefixes.
    ///
    /// # Errors
    /// When the target can't be written.
    pub async fn forget_all_but(&self, prefixes: &[&str]) -> Result<(), Failure> {
        let sql = "DELETE FROM pghaul.effect WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.unnest($1::text[]) AS prefix \
                   WHERE pg_catalog.left(key, pg_catalog.length(prefix)) = prefix)";
        self.note("forget effects", sql, &[&prefixes]).await
    }

    /// Drops the schema `pghaul`, and with it the right to write: the last thing that a transaction does.
    ///
    /// # Errors
    /// When it can't be dropped.
    pub async fn drop_schema(&self) -> Result<(), PgError> {
        drop_schema(&self.transaction.doing("drop the schema pghaul")).await
    }

    /// Runs statements without parameters, separated by semicolons.
    ///
    /// # Errors
    /// The server's first error. The transaction can then only be rolled back.
    pub async fn batch(&self, operation: &str, sql: &str) -> Result<(), PgError> {
        self.transaction.doing(operation).batch(sql).await
    }

    /// As [`Self::batch`]; that a right was not granted or not revoked is an error, after which the transaction goes on.
    ///
    /// # Errors
    /// The server's first error, or its warning of a right.
    pub async fn batch_of_grants(&self, operation: &str, sql: &str) -> Result<(), PgError> {
        self.transaction.batch_of_grants(operation, sql).await
    }

    /// The transaction itself, for queries and COPY.
    pub fn inner(&self) -> &Transaction<'s, Target> {
        &self.transaction
    }

    /// Commits. `what` names the fault positions around it.
    ///
    /// # Errors
    /// When the commit failed, or it is not known whether it did.
    pub async fn commit(self, what: &str) -> Result<(), Failure> {
        self.faults.pass(&format!("before the commit: {what}"));
        self.transaction.commit().await?;
        self.faults.pass(&format!("after the commit: {what}"));
        Ok(())
    }

    /// Rolls back.
    ///
    /// # Errors
    /// When the connection is lost; then the server rolls back.
    pub async fn rollback(self) -> Result<(), Failure> {
        self.transaction.rollback().await?;
        Ok(())
    }
}
