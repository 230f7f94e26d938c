//! What a step of the cluster is given.

use super::Context;
use crate::maintenance::{maintenance, maintenance_for_reading};
use crate::scope::Cluster;
use pghaul_core::{DatabaseName, Failure};
use pghaul_postgres::{ReadWrite, Reader, Session, Source, Target};

impl Context<Cluster> {
    /// A session in the source's maintenance database.
    ///
    /// # Errors
    /// When the server can't be reached.
    pub async fn source(&self) -> Result<Reader<Source>, Failure> {
        Ok(maintenance_for_reading(&self.run.source).await?)
    }

    /// A session in the target's maintenance database.
    ///
    /// # Errors
    /// When the server can't be reached.
    pub async fn target(&self) -> Result<Session<Target, ReadWrite>, Failure> {
        Ok(maintenance(&self.run.target).await?)
    }

    /// The databases that have a plan.
    pub fn databases(&self) -> Vec<DatabaseName> {
        self.run.recorder.read(|m| {
            let planned = m.databases.iter().filter(|(_, record)| record.plan.is_some());
            planned.map(|(name, _)| name.clone()).collect()
        })
    }

    /// The source endpoint as it was when the migration was created.
    pub fn created(&self) -> Option<pghaul_core::event::Created> {
        self.run.recorder.read(|m| m.created.clone())
    }
}
