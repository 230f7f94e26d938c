//! A database that was renamed on one side, or dropped on the source, while it is migrated.
//!
//! Slots and subscriptions are known to the whole server, and stay with a database that gets another name. So the server
//! tells which one it is, without a connection to it.

use crate::database::Journey;
use pghaul_core::{Code, Failure, Side};
use pghaul_postgres::{Ident, ToSql};
use pghaul_step::check::maintenance_for_reading;

/// The database of a slot or subscription whose name begins so, where it is another one.
const ON_SOURCE: &str = "SELECT s.database::text FROM pg_catalog.pg_replication_slots s \
                          WHERE pg_catalog.strpos(s.slot_name::text, $1) = 1 AND s.database::text <> $2 LIMIT 1";
const ON_TARGET: &str = "SELECT d.datname::text FROM pg_catalog.pg_subscription s \
                           JOIN pg_catalog.pg_database d ON d.oid = s.subdbid \
                          WHERE pg_catalog.strpos(s.subname::text, $1) = 1 AND d.datname::text <> $2 LIMIT 1";
const IS_THERE: &str = "SELECT EXISTS (SELECT FROM pg_catalog.pg_database d WHERE d.datname::text = $1)";

impl Journey<'_> {
    /// The same failure of this database; where it was not found since it was renamed, what it is called now.
    pub(crate) async fn with_new_name(&self, failure: Failure) -> Failure {
        let failure = match failure.code {
            Code::UnknownDatabase => match self.refuse_renamed().await {
                Err(renamed) if renamed.code == Code::UnknownDatabase => renamed,
                _ => failure,
            },
            _ => failure,
        };
        failure.with_database(self.database.as_str())
    }

    /// The same of what has failed or not.
    pub(crate) async fn naming<T>(&self, outcome: Result<T, Failure>) -> Result<T, Failure> {
        match outcome {
            Ok(found) => Ok(found),
            Err(failure) => Err(self.with_new_name(failure).await),
        }
    }

    /// Refuses a database that has another name on either server: what pghaul has made would not be found in it.
    ///
    /// # Errors
    /// [`Code::UnknownDatabase`] with the name; or when a server can't be asked.
    pub(crate) async fn refuse_renamed(&self) -> Result<(), Failure> {
        let number = self
            .run
            .recorder
            .read(|m| m.databases.get(self.database).map(|d| d.number));
        let Some(number) = number else {
            return Ok(());
        };
        let prefix = format!("pghaul_{}_{number}_", self.run.migration);
        let source = maintenance_for_reading(&self.run.source).await?;
        let name = self.database.as_str();
        let parameters: [&(dyn ToSql + Sync); 2] = [&prefix, &name];
        let found = source
            .doing("look for the database of a slot")
            .query_opt(ON_SOURCE, &parameters)
            .await?;
        if let Some(row) = found {
            return Err(renamed(Side::Source, name, row.get(0))?);
        }
        let target = maintenance_for_reading(&self.run.target).await?;
        let name = self.target_database();
        let name = name.as_str();
        let parameters: [&(dyn ToSql + Sync); 2] = [&prefix, &name];
        let found = target
            .doing("look for the database of a subscription")
            .query_opt(ON_TARGET, &parameters)
            .await?;
        match found {
            Some(row) => Err(renamed(Side::Target, name, row.get(0))?),
            None => Ok(()),
        }
    }

    /// Whether the source has no database of this name, nor the slot of one that was renamed: it was dropped.
    ///
    /// # Errors
    /// When a server can't be asked.
    pub(crate) async fn is_dropped_on_source(&self) -> Result<bool, Failure> {
        let source = maintenance_for_reading(&self.run.source).await?;
        let doing = source.doing("look for the database");
        let is_there: bool = doing
            .query_one(IS_THERE, &[&self.database.as_str()])
            .await?
            .get(0);
        drop(source);
        if is_there {
            return Ok(false);
        }
        self.refuse_renamed().await.map(|()| true)
    }
}

fn renamed(side: Side, name: &str, now: String) -> Result<Failure, Failure> {
    let message = format!("database {name} is called {now} on the {side} now");
    Ok(Failure::new(Code::UnknownDatabase, message)
        .with_side(side)
        .with_hint(format!(
            "on the {side}, connected to another database: ALTER DATABASE {} RENAME TO {}; for that the subscription on the target must be disabled for a moment (ALTER SUBSCRIPTION … DISABLE, then ENABLE); then run the same command again",
            Ident::new(now)?,
            Ident::new(name)?
        )))
}
