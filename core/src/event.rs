//! The vocabulary of the journal. Everything that pghaul decides, does or learns is one of these events.
//!
//! Names of variants are part of the file format: `docs/reference/journal.md`. A changed payload gets an upcaster in
//! `event/versions.rs`, and with it a new version; old journals are read for ever.

mod note;
mod proof;
mod record;
mod runner;
mod tagged;
mod unknown;
mod versions;

pub use note::{CopiedBy, Note, NoteKind, NoteSubject, Retry, Wait};
pub use proof::{Decoded, Incomplete, Positions, Proof, ServerPosition};
pub use record::Record;
pub use runner::{Account, ConfigurationFile, GivenOption, Invocation, Runner};
pub use unknown::UnknownRecord;
pub use versions::{NotedBy, StepUpcaster, StepVersions, newest_version};

use crate::failure::{Failure, Side};
use crate::finding::Finding;
use crate::id::{CheckName, DatabaseName, Epoch, MigrationId, Seq, StepName};
use crate::json::JsonText;
use crate::mapping::Mapping;
use crate::plan::{DatabasePlan, InitialCopy, Method};
use crate::selection::{ObjectSelection, ProviderObjects};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use strum::{EnumDiscriminants, EnumIter, IntoStaticStr};

/// One side as it was first seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// The conninfo as key=value pairs, without any secret.
    pub conninfo: String,
    /// `pg_control_system().system_identifier`: another value is another server, and is refused.
    pub system_identifier: String,
    /// `server_version_num`, such as 150020.
    pub version: u32,
}

/// What the migration was created with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Created {
    /// The user's name for it, unique in the journal file.
    pub name: String,
    /// The source.
    pub source: Endpoint,
    /// The target.
    pub target: Endpoint,
    /// The version of pghaul.
    pub pghaul: String,
}

impl Created {
    /// One of the two endpoints.
    pub fn endpoint(&self, side: Side) -> &Endpoint {
        match side {
            Side::Source => &self.source,
            Side::Target => &self.target,
        }
    }
}

/// What the user selected. Frozen with the first run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Selection {
    /// `--database` patterns; empty means all.
    pub include: Vec<String>,
    /// `--exclude-database` patterns.
    pub exclude: Vec<String>,
    /// Which objects of the databases; all where nothing was given.
    #[serde(default, skip_serializing_if = "ObjectSelection::is_empty")]
    pub objects: ObjectSelection,
    /// The provider that the source was recognised as, or `--provider` named, with what belongs to it; absent where its
    /// objects are moved like all others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Box<ProviderObjects>>,
    /// `--method`, when given.
    pub method: Option<Method>,
    /// `--initial-copy`, when given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_copy: Option<InitialCopy>,
    /// `--rest-copy`, when given to the first run. A later one may say something else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rest_copy: Option<InitialCopy>,
    /// `--source-from-target`, without secrets, when given.
    #[serde(default)]
    pub source_from_target: Option<String>,
    /// What has another name, owner or rights on the target. Absent: everything arrives as it is.
    #[serde(default, skip_serializing_if = "Mapping::is_empty")]
    pub mapping: Mapping,
}

impl Selection {
    /// Who makes the initial copy where a database is replicated: pghaul, unless the user wants it otherwise.
    pub fn initial_copy(&self) -> InitialCopy {
        self.initial_copy.unwrap_or(InitialCopy::Snapshot)
    }

    /// Whether a role is moved.
    pub fn holds_role(&self, role: &str) -> bool {
        !self.objects.excludes_role(role)
    }

    /// Whether a role belongs to the provider of the source.
    pub fn is_role_of_provider(&self, role: &str) -> bool {
        let provider = self.provider.iter();
        provider
            .flat_map(|provider| &provider.roles)
            .any(|name| name == role)
    }

    /// Whether objects of databases may be left out.
    pub fn concerns_objects(&self) -> bool {
        self.objects.concerns_databases() || self.provider.is_some()
    }
}

/// How a runner ended, when it could still say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// All its databases reached what the command asks for.
    Finished,
    /// At least one database failed.
    Failed,
    /// The user stopped it.
    Interrupted,
}

/// Events of the migration as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, EnumDiscriminants, IntoStaticStr)]
#[strum_discriminants(derive(EnumIter, IntoStaticStr), strum(serialize_all = "snake_case"))]
#[strum_discriminants(name(MigrationEventKind), doc = "The kinds of [`MigrationEvent`].")]
#[serde(tag = "kind", content = "payload", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum MigrationEvent {
    /// The first event: names, servers, versions.
    MigrationCreated(Created),
    /// A runner took the lock and raised the epoch.
    RunnerStarted(Runner),
    /// The databases to be moved are known and numbered from 1, in this order.
    DatabasesSelected {
        /// What the user asked for.
        selection: Box<Selection>,
        /// The databases.
        databases: Vec<DatabaseName>,
    },
    /// The user takes the errors of a check upon himself, now and in later runs.
    CheckAccepted {
        /// The check.
        check: CheckName,
        /// The database that it is limited to, if any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        database: Option<DatabaseName>,
        /// Who: the operating system's user and host, `user@host`.
        by: String,
        /// `--reason`; absent where none was given, and in journals of before 0.2.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// The checks of the servers as a whole have been made.
    ClusterChecked {
        /// What they found.
        findings: Vec<Finding>,
    },
    /// A runner ended in order.
    RunnerStopped {
        /// How.
        ending: Ending,
        /// Why, when something outside any database stopped it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<Box<Failure>>,
    },
}

/// Events of one database.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, EnumDiscriminants, IntoStaticStr)]
#[strum_discriminants(derive(EnumIter, IntoStaticStr), strum(serialize_all = "snake_case"))]
#[strum_discriminants(name(DatabaseEventKind), doc = "The kinds of [`DatabaseEvent`].")]
#[serde(tag = "kind", content = "payload", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum DatabaseEvent {
    /// Its checks begin.
    CheckingStarted,
    /// Its checks have been made.
    Checked {
        /// What they found.
        findings: Vec<Finding>,
    },
    /// Its plan is frozen.
    Planned {
        /// The plan.
        plan: Arc<DatabasePlan>,
    },
    /// Its schema is being created.
    SchemaStarted,
    /// The set-up of replication begins.
    ReplicatingStarted,
    /// The one-time copy begins.
    DumpingStarted,
    /// The first row may have been copied: from here on there is no falling back.
    CopyBegan,
    /// Replication turned out to be impossible and was undone; the database is dumped instead.
    FellBack {
        /// Why.
        failure: Box<Failure>,
    },
    /// The target was proven to hold and follow everything it should.
    SyncingProven {
        /// The evidence.
        proof: Proof,
    },
    /// The one-time copy was proven complete.
    DoneProven {
        /// The evidence.
        proof: Proof,
    },
    /// Its slot makes the source keep more WAL than it should. Said once a run; nothing else changes.
    WalLimitReached {
        /// How much is kept, in bytes.
        retained_bytes: u64,
        /// How much should be at most.
        limit_bytes: u64,
    },
    /// The user gave up what was copied, so that it can be copied again: nothing of it may be trusted any more.
    DiscardStarted {
        /// What was wrong with it, when something was known to be.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<Box<Failure>>,
        /// `--reason`; absent where none was given, and in journals of before 0.2.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// The copied rows, and the replication objects where there were any, are gone; the schema stays. The copy begins anew.
    DataDiscarded,
    /// It can't go on.
    Failed {
        /// Why.
        failure: Box<Failure>,
    },
    /// A runner goes on where it failed.
    Resumed,
    /// The removal of pghaul's objects begins.
    RemovalStarted {
        /// Whether the user insisted although something was incomplete or unsafe.
        forced: bool,
        /// What was wrong with a database that was up to date when the user insisted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        despite: Option<Box<Failure>>,
        /// What the target lacks, or may lack, for good. Absent: nothing, or, in journals of before 0.2, what the last
        /// proof lists.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        left: Vec<Incomplete>,
        /// How many sessions of others were connected to the database on the source, where they could be counted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        connected: Option<u64>,
        /// Who accepted that something is left: the operating system's user and host, `user@host`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
        /// The incomplete objects that the user accepted by name; empty in journals of versions that could not.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        accepted: Vec<String>,
        /// `--reason`; absent where none was given, and in journals of before 0.2.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// The options that let something be left undone, such as `--force`. Empty: none was given, or the journal is of
        /// before 0.2, where `forced` is all that is known.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        overrides: Vec<String>,
    },
    /// Nothing of pghaul is left on either side.
    Removed,
}

/// Events of one step, of the cluster or of a database.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, EnumDiscriminants, IntoStaticStr)]
#[strum_discriminants(derive(EnumIter, IntoStaticStr), strum(serialize_all = "snake_case"))]
#[strum_discriminants(name(StepEventKind), doc = "The kinds of [`StepEvent`].")]
#[serde(tag = "kind", content = "payload", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum StepEvent {
    /// It is about to act. Repeats when a run was killed in between.
    StepStarted,
    /// It notes something that it must know again after a crash.
    StepRecorded {
        /// The version of the facts' shape.
        version: u32,
        /// The facts; core does not look into them.
        facts: JsonText,
    },
    /// One of its items, such as a table, is complete and durable on the target.
    ItemFinished {
        /// The item's name, unique in the step.
        item: String,
        /// What is to be remembered of it.
        outcome: JsonText,
        /// The version of the outcome's shape.
        version: u32,
    },
    /// It has done what it promises.
    StepFinished {
        /// Its output, for the steps after it.
        output: JsonText,
        /// The version of the output's shape.
        version: u32,
        /// Whether it was found done on the servers instead of being run now.
        #[serde(default)]
        found: bool,
    },
    /// It failed, and what it began is undone or proven absent.
    StepFailed {
        /// Why.
        failure: Box<Failure>,
    },
    /// Its effects were taken back.
    StepUndone,
}

/// An event with what it is about.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// About the migration.
    Migration(MigrationEvent),
    /// About a step of the cluster.
    ClusterStep(StepName, StepEvent),
    /// About a database.
    Database(DatabaseName, DatabaseEvent),
    /// About a step of a database.
    DatabaseStep(DatabaseName, StepName, StepEvent),
    /// What changes no state.
    Note(NoteSubject, Note),
}

/// A journaled event with its place and time.
#[derive(Debug, Clone, PartialEq)]
pub struct Envelope {
    /// The migration.
    pub migration: MigrationId,
    /// The position in the migration's journal.
    pub seq: Seq,
    /// The runner's epoch.
    pub epoch: Epoch,
    /// RFC 3339, UTC, by the runner's clock. For readers only: it is never compared.
    pub at: String,
    /// The event.
    pub event: Event,
}

impl Event {
    /// The kind, as the journal names it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Migration(event) => event.into(),
            Self::ClusterStep(_, event) | Self::DatabaseStep(_, _, event) => event.into(),
            Self::Database(_, event) => event.into(),
            Self::Note(_, note) => note.into(),
        }
    }

    /// The database it is about, if any.
    pub fn database(&self) -> Option<&DatabaseName> {
        match self {
            Self::Migration(_) | Self::ClusterStep(..) => None,
            Self::Database(database, _) | Self::DatabaseStep(database, ..) => Some(database),
            Self::Note(subject, _) => subject.database.as_ref(),
        }
    }

    /// The step it is about, if any.
    pub fn step(&self) -> Option<&StepName> {
        match self {
            Self::Migration(_) | Self::Database(..) => None,
            Self::ClusterStep(step, _) | Self::DatabaseStep(_, step, _) => Some(step),
            Self::Note(subject, _) => subject.step.as_ref(),
        }
    }

    /// The item it is about, if any.
    pub fn item(&self) -> Option<&str> {
        match self {
            Self::ClusterStep(_, StepEvent::ItemFinished { item, .. })
            | Self::DatabaseStep(_, _, StepEvent::ItemFinished { item, .. }) => Some(item),
            _ => None,
        }
    }
}
