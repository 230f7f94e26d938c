//! How the process ends: one number for each kind of ending, and one place that says which failure is which.
//!
//! The numbers are API. `docs/reference/exit-codes.md` is generated from this module.

use pghaul_core::Code;
use strum::EnumIter;

/// What a shell or a script sees of a command's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumIter)]
#[repr(u8)]
pub enum ExitCode {
    /// The command did what it was asked for; for `run`, every database is `syncing` or `done`; for `check`, the
    /// servers are ready.
    Success = 0,
    /// pghaul itself is wrong.
    Bug = 1,
    /// An argument, a conninfo or a pattern makes no sense; nothing was done.
    Usage = 2,
    /// A check found something that must be fixed first; nothing was created for the databases in question.
    CheckFailed = 3,
    /// A server can't be reached, or the connection to it broke; for `status`, what it shows of a replicated database is as of
    /// the last check.
    Connection = 4,
    /// A server can be reached, but does not let us in or do what we must.
    Permission = 5,
    /// The journal can't be read or written, is damaged or out of date.
    Journal = 6,
    /// Another process works on the migration.
    AlreadyRunning = 7,
    /// `remove` refused, because something would be left incomplete; nothing was removed.
    NotSafeToRemove = 8,
    /// A database failed; for `status`, a database is failed or its replication is broken.
    MigrationFailed = 9,
    /// An object of pghaul's is gone, or a server is not the one that the journal knows.
    StateLost = 10,
    /// `check` found nothing that stops the migration, but something that may surprise: a warning, a reason to dump
    /// instead of replicating, or an error that was accepted.
    ReadyWithWarnings = 11,
    /// `doctor` found something that is orphaned, at risk or unknown.
    Ailing = 12,
    /// SIGHUP stopped the command, such as when its terminal was closed.
    HungUp = 129,
    /// Ctrl-C stopped the command.
    Interrupted = 130,
    /// SIGTERM stopped the command.
    Terminated = 143,
}

impl ExitCode {
    /// The number.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// One sentence for the documentation.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Success => {
                "The command did what it was asked for; for `run`, every database is `syncing` or `done`; for `check`, the servers are ready."
            }
            Self::Bug => "pghaul itself is wrong. Please report it.",
            Self::Usage => "An argument, a conninfo or a pattern makes no sense. Nothing was done.",
            Self::CheckFailed => {
                "A check found something that must be fixed first. Nothing was created for the databases in question; with `--on-check-failure database`, the others are `syncing` or `done`."
            }
            Self::Connection => {
                "A server can't be reached, or the connection to it broke; for `status`, what it shows of a replicated database is as of the last check."
            }
            Self::Permission => "A server can be reached, but does not let us in or do what we must.",
            Self::Journal => "The journal can't be read or written, is damaged or out of date.",
            Self::AlreadyRunning => "Another process works on the migration.",
            Self::NotSafeToRemove => {
                "`remove` refused, because something would be left incomplete. Nothing was removed."
            }
            Self::MigrationFailed => {
                "A database failed; for `status`, a database is failed or its replication is broken."
            }
            Self::StateLost => {
                "An object of pghaul's is gone or belongs to somebody else, or a server is not the one that the journal knows."
            }
            Self::ReadyWithWarnings => {
                "`check` found nothing that stops the migration, but something that may surprise: a warning, a reason to dump instead of replicating, or an error that was accepted."
            }
            Self::Ailing => "`doctor` found something that is orphaned, at risk or unknown to the journal.",
            Self::HungUp => {
                "SIGHUP stopped the command, such as when its terminal was closed. `run` again continues."
            }
            Self::Interrupted => "Ctrl-C stopped the command. `run` again continues.",
            Self::Terminated => "SIGTERM stopped the command. `run` again continues.",
        }
    }
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        match code {
            Code::Bug => Self::Bug,
            Code::BadInput => Self::Usage,
            Code::CheckFailed | Code::SameServer | Code::UnsupportedVersion => Self::CheckFailed,
            Code::HostNotFound
            | Code::ConnectionRefused
            | Code::ConnectionTimedOut
            | Code::TlsFailed
            | Code::UnknownDatabase
            | Code::TooManyConnections
            | Code::ServerNotReady
            | Code::ConnectionLost => Self::Connection,
            Code::AuthenticationFailed | Code::NotInHba | Code::PermissionDenied | Code::RowSecurity => {
                Self::Permission
            }
            Code::JournalUnusable | Code::JournalDamaged | Code::JournalStale | Code::OtherRelease => {
                Self::Journal
            }
            Code::AlreadyRunning => Self::AlreadyRunning,
            Code::NotSafeToRemove => Self::NotSafeToRemove,
            Code::LockTimeout
            | Code::StatementCancelled
            | Code::OutOfResources
            | Code::ReplicationImpossible
            | Code::SnapshotLost
            | Code::ApplyFailed
            | Code::WalLimit
            | Code::ToolFailed
            | Code::PlanChanged
            | Code::PartitionDetached
            | Code::PartitionAttached
            | Code::TableRenamed
            | Code::TablesExchanged
            | Code::TableRecreated
            | Code::TableDropped
            | Code::TableRewritten
            | Code::ColumnChanged
            | Code::PublicationChanged
            | Code::CountsDiffer
            | Code::SchemaFailed
            | Code::ServerError => Self::MigrationFailed,
            Code::SlotLost
            | Code::StateLost
            | Code::TargetNotOurs
            | Code::OtherServer
            | Code::SourceWentBack
            | Code::TargetWentBack => Self::StateLost,
            Code::Interrupted => Self::Interrupted,
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        code.number().into()
    }
}
