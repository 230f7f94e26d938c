//! What went wrong: one type for everything that stops a database or a run.
//!
//! A [`Failure`] is plain data. It is shown to users, written into the journal, and read back by `status`, so
//! it never holds a password, a row value or a conninfo with one.

use crate::plan::Method;
use serde::{Deserialize, Serialize};
use std::fmt;
use strum::{Display, EnumIter, EnumString, IntoStaticStr};

/// One of the two servers.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Display, EnumString, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Side {
    /// Where the databases are now. Its applications must not notice us.
    Source,
    /// Where they go.
    Target,
}

/// The stable code of a failure. Codes are API: scripts compare them, `docs/reference/errors.md` explains
/// each. New codes may be added, an old one never changes its meaning.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Display,
    EnumString,
    EnumIter,
    IntoStaticStr,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Code {
    /// An argument, a conninfo or a setting makes no sense.
    BadInput,
    /// The host name has no address.
    HostNotFound,
    /// Nothing listens at the address, or the server refuses at the network's level.
    ConnectionRefused,
    /// No answer in the time allowed.
    ConnectionTimedOut,
    /// TLS could not be set up as the sslmode asks.
    TlsFailed,
    /// The server rejected the password or the certificate, or none was given.
    AuthenticationFailed,
    /// `pg_hba.conf` has no entry that lets us in.
    NotInHba,
    /// The database does not exist.
    UnknownDatabase,
    /// The server has no free connection.
    TooManyConnections,
    /// The server is starting up, shutting down or in recovery.
    ServerNotReady,
    /// An existing connection broke.
    ConnectionLost,
    /// The role may not do this.
    PermissionDenied,
    /// Row-level security would hide rows from the role.
    RowSecurity,
    /// A lock was not granted in time, or a deadlock was broken.
    LockTimeout,
    /// The statement was cancelled by the server or another user.
    StatementCancelled,
    /// The server has run out of disk, memory or another resource.
    OutOfResources,
    /// Logical replication is not possible here.
    ReplicationImpossible,
    /// A replication slot of pghaul's is gone or no longer usable.
    SlotLost,
    /// The snapshot that tables were copied from ended with the connection that held it.
    SnapshotLost,
    /// A replication slot of pghaul's kept more WAL than it may, and was dropped.
    WalLimit,
    /// The target's subscription does not make progress.
    ApplyFailed,
    /// An object of pghaul's was changed or removed behind pghaul's back.
    StateLost,
    /// The target belongs to another migration or is not empty.
    TargetNotOurs,
    /// The journal is older than what the target has seen: a copy that was overtaken.
    JournalStale,
    /// Another runner has the journal.
    AlreadyRunning,
    /// This program is not one that can continue the migration: a newer release wrote in its journal, or it lacks a
    /// step.
    OtherRelease,
    /// The journal can't be written or read.
    JournalUnusable,
    /// The journal was changed by something else than pghaul.
    JournalDamaged,
    /// The server is not the one that the migration began with.
    OtherServer,
    /// Source and target are the same server.
    SameServer,
    /// The server's version can't be used.
    UnsupportedVersion,
    /// A program we need, such as pg_dump, is missing, too old or failed.
    ToolFailed,
    /// A check found something that must be fixed first.
    CheckFailed,
    /// The source, or what was moved to the target, has changed since the plan was frozen.
    PlanChanged,
    /// A partition's changes are no longer published through the root of its tree, or were not for a while.
    PartitionDetached,
    /// A table's changes are published as those of a partitioned table that it did not belong to.
    PartitionAttached,
    /// A table has another name or schema than in the plan.
    TableRenamed,
    /// A planned table has another name, and another table has its name: changes were applied to the wrong one.
    TablesExchanged,
    /// Under a planned table's name there is another table.
    TableRecreated,
    /// A planned table is gone from the source, and still on the target.
    TableDropped,
    /// A table's rows were changed in a way that is not replicated.
    TableRewritten,
    /// A column's type differs from that of the plan or of the other side, or the column was replaced.
    ColumnChanged,
    /// A publication of pghaul's was altered: some changes are not, or were not for a while, published.
    PublicationChanged,
    /// The source is in an earlier state than one that was proven, or was promoted.
    SourceWentBack,
    /// The target is in an earlier state than one that was proven, or was promoted.
    TargetWentBack,
    /// The counts of both sides differ.
    CountsDiffer,
    /// `remove` refuses because something would be lost or left incomplete.
    NotSafeToRemove,
    /// A statement of the schema failed on the target.
    SchemaFailed,
    /// The server reported an error that has no code of its own here.
    ServerError,
    /// The user stopped the run.
    Interrupted,
    /// pghaul itself is wrong.
    Bug,
}

impl Code {
    /// Whether a statement or a program failed on servers that can be reached: another may succeed.
    pub fn is_of_statement(self) -> bool {
        matches!(
            self,
            Self::BadInput
                | Self::LockTimeout
                | Self::OutOfResources
                | Self::PermissionDenied
                | Self::RowSecurity
                | Self::ServerError
                | Self::StatementCancelled
                | Self::ToolFailed
        )
    }
}

/// Something that stops a step, a database or a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Which kind of failure.
    pub code: Code,
    /// The server it concerns, when it concerns one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub side: Option<Side>,
    /// The database it concerns, when it concerns one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// What was being done, as an infinitive: `create the publication`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// One sentence, without its causes.
    pub message: String,
    /// The SQLSTATE, when a server reported the failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sqlstate: Option<String>,
    /// The causes, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    /// What the user can do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The method that is not possible here because of it; set where the statement runs. The run decides at once whether it
    /// falls back, so the journal does not hold it.
    #[serde(skip)]
    pub rules_out: Option<Method>,
}

impl Failure {
    /// A failure with a code and a sentence; the rest is added with the `with_…` functions.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            side: None,
            database: None,
            operation: None,
            message: message.into(),
            sqlstate: None,
            causes: Vec::new(),
            hint: None,
            rules_out: None,
        }
    }

    /// A state that pghaul's own code excludes: asks the user to report it.
    pub fn bug(message: impl Into<String>) -> Self {
        Self::new(Code::Bug, message).with_hint("this is a bug in pghaul; please report it with the journal")
    }

    /// Names the server.
    #[must_use]
    pub fn with_side(mut self, side: Side) -> Self {
        self.side = Some(side);
        self
    }

    /// Names the database.
    #[must_use]
    pub fn with_database(mut self, database: impl Into<String>) -> Self {
        self.database = Some(database.into());
        self
    }

    /// Says what was being done.
    #[must_use]
    pub fn with_operation(mut self, operation: impl Into<String>) -> Self {
        self.operation = Some(operation.into());
        self
    }

    /// Adds the SQLSTATE.
    #[must_use]
    pub fn with_sqlstate(mut self, sqlstate: impl Into<String>) -> Self {
        self.sqlstate = Some(sqlstate.into());
        self
    }

    /// Adds a cause below those already there.
    #[must_use]
    pub fn with_cause(mut self, cause: impl fmt::Display) -> Self {
        self.causes.push(cause.to_string());
        self
    }

    /// Says what the user can do; replaces an earlier hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says that the statement that failed is one that only this method needs: another method is still possible.
    #[must_use]
    pub fn ruling_out(mut self, method: Method) -> Self {
        self.rules_out = Some(method);
        self
    }
}

impl fmt::Display for Failure {
    /// The sentence alone; renderers print causes and hint on lines of their own.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}
