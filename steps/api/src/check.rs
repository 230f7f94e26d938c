//! The trait [`Check`]: something that looks and reports.

use crate::scope::{Cluster, Database, Scope};
use async_trait::async_trait;
use pghaul_core::{DatabaseName, Failure, Finding, InitialCopy, Method};
use pghaul_postgres::{PgError, ReadOnly, Rehearsal, Right, Server, Session, SideMarker, Source, Target};
use std::sync::Arc;

/// What the engine knows of a check without running it.
#[derive(Debug, Clone)]
pub struct CheckDescriptor {
    /// The stable name, in lower case with hyphens. Users write it on the command line.
    pub name: &'static str,
    /// One line for `pghaul steps`; the documentation page is `docs/checks/<name>.md`.
    pub summary: &'static str,
    /// Checks without which this one can't be made: where one of them finds an error about the same subject,
    /// this one is left out.
    pub after: &'static [&'static str],
}

/// Which databases exist where, for checks.
#[derive(Debug, Clone, Default)]
pub struct Landscape {
    /// The databases to be moved.
    pub selected: Vec<DatabaseName>,
    /// The method the user insists on.
    pub forced: Option<Method>,
    /// Who makes the initial copy where a database is replicated.
    pub initial_copy: InitialCopy,
    /// Databases that an earlier run of this migration has already made on the target.
    pub ours: Vec<DatabaseName>,
    /// This migration's name in `pghaul.owner`, once it has one.
    pub migration: Option<String>,
    /// The conninfo with which the target's server reaches the source, with its password. Never print it.
    pub source_from_target: Option<Secret>,
}

/// A text with a secret in it: its `Debug` form says nothing.
#[derive(Clone)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// What a check is given. Its sessions can't write: [`ReadOnly`] has no such functions, and what a
/// [`Rehearsal`] does is always rolled back.
pub struct CheckContext<S: Scope> {
    pub(crate) source: Server<Source>,
    pub(crate) target: Server<Target>,
    pub(crate) landscape: Arc<Landscape>,
    pub(crate) name: S::CheckSubject,
}

impl<S: Scope> CheckContext<S> {
    /// A context for one subject.
    pub fn new(
        source: Server<Source>,
        target: Server<Target>,
        landscape: Arc<Landscape>,
        name: S::CheckSubject,
    ) -> Self {
        Self {
            source,
            target,
            landscape,
            name,
        }
    }

    /// The source server.
    pub fn source_server(&self) -> &Server<Source> {
        &self.source
    }

    /// The target server.
    pub fn target_server(&self) -> &Server<Target> {
        &self.target
    }

    /// What is selected and what is already there.
    pub fn landscape(&self) -> &Landscape {
        &self.landscape
    }
}

impl CheckContext<Cluster> {
    /// A session in the source's maintenance database.
    ///
    /// # Errors
    /// When the server can't be reached.
    pub async fn source(&self) -> Result<Session<Source, ReadOnly>, Failure> {
        Ok(maintenance(&self.source).await?)
    }

    /// A session in the target's maintenance database.
    ///
    /// # Errors
    /// When the server can't be reached.
    pub async fn target(&self) -> Result<Session<Target, ReadOnly>, Failure> {
        Ok(maintenance(&self.target).await?)
    }
}

impl CheckContext<Database> {
    /// The database's name.
    pub fn database(&self) -> &DatabaseName {
        &self.name
    }

    /// A session in the database on the source.
    ///
    /// # Errors
    /// When the server can't be reached.
    pub async fn source(&self) -> Result<Session<Source, ReadOnly>, Failure> {
        Ok(self.source.connect(self.name.as_str()).await?)
    }

    /// A session in the database on the source whose transaction is always rolled back.
    ///
    /// # Errors
    /// When the server can't be reached.
    pub async fn rehearse_on_source(&self) -> Result<Session<Source, Rehearsal>, Failure> {
        Ok(self.source.connect(self.name.as_str()).await?)
    }

    /// A session in the target's maintenance database whose transaction is always rolled back.
    ///
    /// # Errors
    /// When the server can't be reached.
    pub async fn rehearse_on_target(&self) -> Result<Session<Target, Rehearsal>, Failure> {
        Ok(maintenance(&self.target).await?)
    }
}

/// A session in the database that the conninfo names: the one for looking at the server as a whole.
///
/// # Errors
/// When the server can't be reached.
pub async fn maintenance<S: SideMarker, R: Right>(server: &Server<S>) -> Result<Session<S, R>, PgError> {
    server.connect(server.resolved().database()).await
}

/// Something that looks at servers and reports what it found.
///
/// # The contract
///
/// It only looks. It returns one [`Finding`] for each thing found, in a stable order, and none for a clean pair
/// of servers; it fails only when it could not look. Checks run side by side and in any order but that of
/// [`CheckDescriptor::after`].
#[async_trait]
pub trait Check: Send + Sync + 'static {
    /// The servers as a whole, or each database.
    type Scope: Scope;

    /// Name and order.
    fn descriptor(&self) -> CheckDescriptor;

    /// Looks.
    async fn examine(&self, ctx: &CheckContext<Self::Scope>) -> Result<Vec<Finding>, Failure>;
}

/// A [`Check`] as the engine and the registry hold it.
#[async_trait]
pub trait ErasedCheck<S: Scope>: Send + Sync {
    /// See [`Check::descriptor`].
    fn descriptor(&self) -> CheckDescriptor;
    /// See [`Check::examine`].
    async fn examine(&self, ctx: &CheckContext<S>) -> Result<Vec<Finding>, Failure>;
}

#[async_trait]
impl<C: Check> ErasedCheck<C::Scope> for C {
    fn descriptor(&self) -> CheckDescriptor {
        Check::descriptor(self)
    }

    async fn examine(&self, ctx: &CheckContext<C::Scope>) -> Result<Vec<Finding>, Failure> {
        Check::examine(self, ctx).await
    }
}
