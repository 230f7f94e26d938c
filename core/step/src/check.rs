//! The trait [`Check`]: something that looks and reports.

use crate::lookout::{Lookout, SharedSession};
pub use crate::maintenance::{maintenance, maintenance_for_reading, maintenance_for_writing};
use crate::memo::Memo;
use crate::scope::{Cluster, Database, Scope};
use crate::selected::selected;
use crate::throwaway::ThrowawayDatabase;
use async_trait::async_trait;
use pghaul_core::event::Selection;
use pghaul_core::selection::SelectedObjects;
use pghaul_core::{
    Acceptance, Catalog, Code, DatabaseName, Failure, Finding, InitialCopy, Mapping, Method, Migration,
    MigrationId,
};
use pghaul_postgres::catalog::Detail;
use pghaul_postgres::extension::Extensions;
use pghaul_postgres::{Rehearsal, Server, Session, Source, Target};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::OnceCell;

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
    /// Which objects of them are to be moved, and what belongs to the source's provider.
    pub selection: Selection,
    /// The method the user insists on.
    pub forced: Option<Method>,
    /// Who makes the initial copy where a database is replicated.
    pub initial_copy: InitialCopy,
    /// Databases that an earlier run of this migration has already made on the target.
    pub ours: Vec<DatabaseName>,
    /// This migration's name in `pghaul.owner`, once it has one.
    pub migration: Option<String>,
    /// The checks whose errors the user takes upon himself.
    pub accepted: BTreeSet<Acceptance>,
    /// What the user says about the disk of the target.
    pub disk: DiskSettings,
    /// Which schemas are rehearsed.
    pub rehearse: Rehearse,
    /// The conninfo with which the target's server reaches the source, with its password. Never print it.
    pub source_from_target: Option<Secret>,
}

impl Landscape {
    /// What is to have another name, owner or rights on the target.
    pub fn mapping(&self) -> &Mapping {
        &self.selection.mapping
    }

    /// The databases to be moved, by their names on the target.
    pub fn selected_on_target(&self) -> impl Iterator<Item = &DatabaseName> {
        self.selected.iter().map(|name| self.mapping().database(name))
    }

    /// What the journal knows of a migration. Where its databases are not selected yet, none are.
    pub fn of(id: &MigrationId, migration: &Migration) -> Self {
        let begun = migration.databases.iter().filter(|(_, d)| !d.steps.is_empty());
        let ours = begun.map(|(name, _)| name.clone()).collect();
        let mut selected: Vec<_> = migration.databases.iter().collect();
        selected.sort_by_key(|(_, record)| record.number);
        Self {
            selected: selected.into_iter().map(|(name, _)| name.clone()).collect(),
            selection: migration.selection.clone().unwrap_or_default(),
            forced: migration.selection.as_ref().and_then(|s| s.method),
            initial_copy: migration.selection.clone().unwrap_or_default().initial_copy(),
            ours,
            migration: Some(id.to_string()),
            accepted: migration.accepted.clone(),
            ..Self::default()
        }
    }
}

/// What the user says about the disk of the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskSettings {
    /// How many bytes are free there, where the user knows it.
    pub target_free_bytes: Option<u64>,
    /// How much room the databases need there, in percent of their size on the source.
    pub margin_percent: u32,
}

impl Default for DiskSettings {
    fn default() -> Self {
        Self {
            target_free_bytes: None,
            margin_percent: 130,
        }
    }
}

/// Which databases have their schema rehearsed: restored into a throwaway database on the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rehearse {
    /// None.
    #[default]
    Never,
    /// Those whose schema is small.
    WhenSmall,
    /// All.
    Always,
}

/// A text with a secret in it: its `Debug` form says nothing.
#[derive(Clone)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// What a check is given. Its sessions can't write: a [`SharedSession`] has no such functions, and what a
/// [`Rehearsal`] does is always rolled back. What can't be rolled back is tried in a [`ThrowawayDatabase`].
///
/// Looking is cheap: all checks of a database share one session on each side, and all checks of a survey share
/// one in each server's maintenance database. A rehearsal is a session of its own; end it before asking for
/// another one, since both come out of one connection budget.
pub struct CheckContext<S: Scope> {
    source: Server<Source>,
    target: Server<Target>,
    landscape: Arc<Landscape>,
    name: S::CheckSubject,
    /// In the maintenance databases.
    on_source: Arc<Lookout<Source>>,
    on_target: Arc<Lookout<Target>>,
    /// In the subject, where it is a database.
    in_source: Arc<Lookout<Source>>,
    in_target: Arc<Lookout<Target>>,
    memo: Arc<Memo>,
    catalog: OnceCell<Arc<Catalog>>,
    selected: OnceCell<Option<Arc<SelectedObjects>>>,
}

impl<S: Scope> CheckContext<S> {
    /// The source server, for sessions in databases of the check's choice.
    pub fn source_server(&self) -> &Server<Source> {
        &self.source
    }

    /// The target server, for sessions in databases of the check's choice.
    pub fn target_server(&self) -> &Server<Target> {
        &self.target
    }

    /// A database on the target in which the check may do as it likes; it drops it. The maintenance sessions that the
    /// checks share are its keepers.
    ///
    /// # Errors
    /// What the server answers to the statement, which is made for the name of the database.
    pub async fn throwaway_database(
        &self,
        statement: impl FnOnce(&str) -> Result<String, Failure> + Send,
        comment: &str,
    ) -> Result<ThrowawayDatabase, Failure> {
        let keeper = self.target().await?;
        ThrowawayDatabase::create(&self.target, &keeper, statement, comment).await
    }

    /// What is selected and what is already there.
    pub fn landscape(&self) -> &Landscape {
        &self.landscape
    }

    /// The shared session in the target's maintenance database.
    ///
    /// # Errors
    /// When the server can't be reached.
    pub async fn target(&self) -> Result<SharedSession<Target>, Failure> {
        Ok(self.on_target.session().await?)
    }

    /// What the first check that asks a question finds out, for all checks of this survey. Nobody may hold a
    /// rehearsal while he asks.
    ///
    /// # Errors
    /// Those of finding out, which are not remembered.
    pub async fn once<T: Send + Sync + 'static>(
        &self,
        question: &str,
        find_out: impl Future<Output = Result<T, Failure>> + Send,
    ) -> Result<Arc<T>, Failure> {
        self.memo.once(question, find_out).await
    }

    /// What the target has of extensions.
    ///
    /// # Errors
    /// When the server can't be reached.
    pub async fn target_extensions(&self) -> Result<Arc<Extensions>, Failure> {
        let ask = async { Extensions::of(&*self.target().await?).await };
        self.once("the extensions of the target", ask).await
    }

    /// A session in the target's maintenance database whose transaction is always rolled back.
    ///
    /// # Errors
    /// When the server can't be reached.
    pub async fn rehearse_on_target(&self) -> Result<Session<Target, Rehearsal>, Failure> {
        Ok(Box::pin(maintenance(&self.target)).await?)
    }
}

impl CheckContext<Cluster> {
    /// A context for looking at the servers as a whole.
    pub fn new(source: Server<Source>, target: Server<Target>, landscape: Arc<Landscape>) -> Self {
        let on_source = Arc::new(Lookout::maintenance(&source));
        let on_target = Arc::new(Lookout::maintenance(&target));
        Self {
            source,
            target,
            landscape,
            name: (),
            in_source: Arc::clone(&on_source),
            in_target: Arc::clone(&on_target),
            on_source,
            on_target,
            memo: Arc::default(),
            catalog: OnceCell::new(),
            selected: OnceCell::new(),
        }
    }

    /// A context for looking at one database, which shares the sessions in the maintenance databases.
    pub fn of_database(&self, name: DatabaseName) -> CheckContext<Database> {
        CheckContext {
            source: self.source.clone(),
            target: self.target.clone(),
            landscape: Arc::clone(&self.landscape),
            on_source: Arc::clone(&self.on_source),
            on_target: Arc::clone(&self.on_target),
            in_source: Arc::new(Lookout::new(&self.source, name.as_str())),
            in_target: Arc::new(Lookout::new(
                &self.target,
                self.landscape.mapping().database(&name).as_str(),
            )),
            name,
            memo: Arc::clone(&self.memo),
            catalog: OnceCell::new(),
            selected: OnceCell::new(),
        }
    }

    /// The shared session in the source's maintenance database.
    ///
    /// # Errors
    /// When the server can't be reached.
    pub async fn source(&self) -> Result<SharedSession<Source>, Failure> {
        Ok(self.on_source.session().await?)
    }

    /// Closes the shared sessions in the maintenance databases.
    pub async fn close(self) {
        self.on_source.close().await;
        self.on_target.close().await;
    }
}

impl CheckContext<Database> {
    /// The database's name on the source.
    pub fn database(&self) -> &DatabaseName {
        &self.name
    }

    /// The database's name on the target.
    pub fn target_name(&self) -> &DatabaseName {
        self.landscape.mapping().database(&self.name)
    }

    /// The shared session in the database on the source.
    ///
    /// # Errors
    /// When the database can't be entered.
    pub async fn source(&self) -> Result<SharedSession<Source>, Failure> {
        Ok(self.in_source.session().await?)
    }

    /// The shared session in the database on the target, where it is there already.
    ///
    /// # Errors
    /// When the database is there and can't be entered, or the server can't be reached.
    pub async fn target_database(&self) -> Result<Option<SharedSession<Target>>, Failure> {
        // Asked rather than tried: `pg_hba.conf` may refuse a database before it is known to be missing.
        let sql = "SELECT 1 FROM pg_catalog.pg_database WHERE datname = $1";
        let target = self.target().await?;
        let doing = target.doing("look for the database");
        if doing
            .query_opt(sql, &[&self.target_name().as_str()])
            .await?
            .is_none()
        {
            return Ok(None);
        }
        match self.in_target.session().await {
            Ok(session) => Ok(Some(session)),
            Err(error) if error.code() == Code::UnknownDatabase => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// What is selected of the database, with the sizes of its tables: read by the first who asks, the same for all
    /// checks and for the plan. Nobody may hold a rehearsal while he asks.
    ///
    /// # Errors
    /// When the database can't be entered.
    pub async fn catalog(&self) -> Result<Arc<Catalog>, Failure> {
        let read = || async {
            let session = Box::pin(self.source.reader(self.name.as_str())).await?;
            let catalog = session.catalog(Detail::Sizes).await?;
            let catalog = match self.selected().await? {
                Some(selected) => selected.restrict(catalog),
                None => catalog,
            };
            Ok::<_, Failure>(Arc::new(catalog))
        };
        Ok(Arc::clone(self.catalog.get_or_try_init(read).await?))
    }

    /// Which objects of the database are moved; `None` where all are.
    ///
    /// # Errors
    /// When the database can't be entered.
    pub async fn selected(&self) -> Result<Option<Arc<SelectedObjects>>, Failure> {
        let read = || async {
            let selection = &self.landscape.selection;
            if !selection.concerns_objects() {
                return Ok::<_, Failure>(None);
            }
            let session = Box::pin(self.source.reader(self.name.as_str())).await?;
            let found = selected(&session, selection, &self.name).await?;
            Ok(found.map(Arc::new))
        };
        Ok(self.selected.get_or_try_init(read).await?.clone())
    }

    /// The objects of the database that are left out, as parallel lists of system catalogs and oids, for queries; empty where
    /// everything is moved.
    ///
    /// # Errors
    /// When the database can't be entered.
    pub async fn left_out(&self) -> Result<(Vec<u32>, Vec<u32>), Failure> {
        let selected = self.selected().await?;
        Ok(selected
            .map(|selected| selected.ids_left_out())
            .unwrap_or_default())
    }

    /// A session in the database on the source whose transaction is always rolled back.
    ///
    /// # Errors
    /// When the database can't be entered.
    pub async fn rehearse_on_source(&self) -> Result<Session<Source, Rehearsal>, Failure> {
        Ok(Box::pin(self.source.connect(self.name.as_str())).await?)
    }

    /// A session in the database on the target whose transaction is always rolled back.
    ///
    /// # Errors
    /// When it is not there, or can't be entered.
    pub async fn rehearse_on_target_database(&self) -> Result<Session<Target, Rehearsal>, Failure> {
        Ok(Box::pin(self.target.connect(self.target_name().as_str())).await?)
    }

    /// Closes the shared sessions in the database.
    pub async fn close(self) {
        self.in_source.close().await;
        self.in_target.close().await;
    }
}

/// Something that looks at servers and reports what it found.
///
/// # The contract
///
/// It only looks, or tries things where they leave nothing. It returns one [`Finding`] for each thing found, in a stable order, and none for a clean pair
/// of servers; it fails only when it could not look. Checks run side by side and in any order but that of
/// [`CheckDescriptor::after`]. A check of a database comes after `database-connection`, which opens the sessions
/// that the others share.
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
