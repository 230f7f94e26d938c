//! Removals of databases of which a side is gone: the target has lost the schema `pghaul`, or the source has dropped the database.

use crate::database::Journey;
use crate::run::Engine;
use pghaul_core::event::Incomplete;
use pghaul_core::{Code, DatabaseName, DatabaseState, Failure};
use pghaul_postgres::{ReadWrite, Session, Target};
use pghaul_step::Ownership;
use pghaul_step::ownership::is_established;

use super::reasons::Reasons;

impl Journey<'_> {
    /// Creates the schema again where it is gone and a subscription of this migration is not: nothing of pghaul writes without
    /// it, and the removal, which drops it in the end, would be refused as everything else is.
    ///
    /// # Errors
    /// When the target can't be asked or written.
    pub(super) async fn establish_again(&self) -> Result<(), Failure> {
        let target = self.target_database();
        let mut session: Session<Target, ReadWrite> = match self.run.target.connect(target.as_str()).await {
            Ok(session) => session,
            Err(error) if error.code() == Code::UnknownDatabase => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        if is_established(&session).await? {
            return Ok(());
        }
        let prefix = format!("pghaul_{}_", self.run.migration);
        let doing = session.doing("look for subscriptions of this migration");
        let sql = "SELECT EXISTS (SELECT FROM pg_catalog.pg_subscription s \
                     JOIN pg_catalog.pg_database d ON d.oid = s.subdbid AND d.datname = pg_catalog.current_database() \
                    WHERE pg_catalog.strpos(s.subname::text, $1) = 1)";
        if !doing.query_one(sql, &[&prefix]).await?.get::<_, bool>(0) {
            return Ok(());
        }
        tracing::warn!(database = %self.database, "the target has lost the schema pghaul: it is created again for the removal");
        Ownership::new(self.run.migration.clone(), self.run.epoch)
            .establish(&mut session, &self.run.recorder.head())
            .await
    }
}

impl Engine {
    /// The databases that have arrived, but for those whose source is gone.
    pub(super) async fn still_there(&self, databases: &[DatabaseName]) -> Result<Vec<DatabaseName>, Failure> {
        let mut there = Vec::new();
        for database in databases.iter().filter(|database| self.has_arrived(database)) {
            if self.state(database) != DatabaseState::Syncing
                || !self.journey(database).is_dropped_on_source().await?
            {
                there.push(database.clone());
            }
        }
        Ok(there)
    }

    /// The source has dropped the database: nobody can prove any more that the target has all of it.
    pub(super) fn dropped(&self, database: &DatabaseName) -> Reasons {
        let then = self.run.recorder.read(|m| {
            let proof = m.databases.get(database).and_then(|d| d.proof.clone());
            proof.and_then(|proof| proof.fence)
        });
        Reasons {
            incomplete: vec![Incomplete {
                object: format!("database {database}"),
                why: "was dropped on the source; the target stays as it is, with what was applied until then"
                    .to_owned(),
                as_of: then,
                ..Incomplete::default()
            }],
            ..Reasons::default()
        }
    }
}
