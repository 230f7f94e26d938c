//! The command line as it is written. What it means is decided by the commands.

use crate::copying::CopyingArgs;
use crate::moment::Place;
use crate::printer::Color;
use crate::size;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{ArgAction, Args, Parser, Subcommand};
use pghaul_core::event::Selection;
use pghaul_core::journal::Head;
use pghaul_core::{Failure, InitialCopy, Method, Side};
use pghaul_engine::{Allowed, OnCheckFailure, OnWalLimit, Removal};
use std::path::{Path, PathBuf};

mod audit;
mod checks;
mod configuration;
mod examples;
mod generated;
mod history;
mod mapping;
mod metrics;
mod migrations;
mod objects;
mod report;

pub(crate) use audit::AuditArgs;
pub(crate) use checks::CheckArgs;
pub(crate) use configuration::{ConfigCommand, ConfigCommandArgs, ConfigurationArgs, DescribeArgs, ListArgs};
pub(crate) use generated::{CompletionsArgs, ManArgs};
pub(crate) use history::HistoryArgs;
pub(crate) use mapping::MappingArgs;
pub(crate) use metrics::MetricsArgs;
pub(crate) use migrations::{CloseArgs, MigrationsArgs, MigrationsCommand};
pub(crate) use objects::ObjectArgs;
pub(crate) use report::ReportArgs;

/// Moves every database of a PostgreSQL cluster to another one, live.
#[derive(Debug, Parser)]
#[command(name = "pghaul", version, after_help = examples::EXAMPLES, max_term_width = 100)]
pub(crate) struct CommandLine {
    #[command(flatten)]
    pub(crate) general: General,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command understands.
#[derive(Debug, Clone, Args)]
pub(crate) struct General {
    /// When to colour; a non-empty NO_COLOR switches colours off
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "WHEN",
        help_heading = "Output"
    )]
    pub(crate) color: Color,
    /// Log what is done to stderr; twice for every detail
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = "Output")]
    pub(crate) verbose: u8,
    /// Write nothing to stderr but errors
    #[arg(short, long, global = true, help_heading = "Output")]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) configuration: ConfigurationArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show what would be moved, and how; writes nothing anywhere
    #[command(after_help = examples::PLAN_EXAMPLES)]
    Plan(PlanArgs),
    /// Make all checks and show what they found; leaves nothing anywhere
    #[command(after_help = examples::CHECK_EXAMPLES)]
    Check(PlanArgs),
    /// Move the databases, or go on with it
    #[command(after_help = examples::RUN_EXAMPLES)]
    Run(Box<RunArgs>),
    /// Ask the servers how the migration stands
    #[command(after_help = examples::STATUS_EXAMPLES)]
    Status(StatusArgs),
    /// Show what the journal holds: all of it, or what the filters let through
    #[command(after_help = examples::HISTORY_EXAMPLES)]
    History(HistoryArgs),
    /// Write a report of the whole migration: one HTML file, or Markdown
    #[command(after_help = examples::REPORT_EXAMPLES)]
    Report(ReportArgs),
    /// List the migrations of the journal; close one that never began
    #[command(after_help = examples::MIGRATIONS_EXAMPLES)]
    Migrations(MigrationsArgs),
    /// End the migration: complete and prove the target, then take every object of pghaul off both servers
    #[command(after_help = examples::REMOVE_EXAMPLES)]
    Remove(RemoveArgs),
    /// Show everything of pghaul on the servers, whose it is and what is wrong with it
    #[command(after_help = examples::DOCTOR_EXAMPLES)]
    Doctor(DoctorArgs),
    /// Verify the journal; carry it to another machine
    #[command(after_help = examples::JOURNAL_EXAMPLES)]
    Journal(JournalCommandArgs),
    /// List the steps and checks in the order in which they run
    #[command(after_help = examples::STEPS_EXAMPLES)]
    Steps(ListArgs),
    /// List the checks
    #[command(after_help = examples::CHECKS_EXAMPLES)]
    Checks(ListArgs),
    /// Show everything that is known of a step or a check
    #[command(after_help = examples::DESCRIBE_EXAMPLES)]
    Describe(DescribeArgs),
    /// Validate the configuration, or show what it can hold
    #[command(after_help = examples::CONFIG_EXAMPLES)]
    Config(ConfigCommandArgs),
    /// Watch a whole migration between two throwaway clusters
    #[command(after_help = examples::DEMO_EXAMPLES)]
    Demo(DemoArgs),
    /// Print a script that completes commands and options in a shell
    #[command(after_help = examples::COMPLETIONS_EXAMPLES)]
    Completions(CompletionsArgs),
    /// Write the manual pages to a directory
    #[command(hide = true)]
    Man(ManArgs),
}

impl Command {
    /// The `--journal` of a command that reads the configuration, which may stand beside it; `None` for the others.
    pub(crate) fn configured(&self) -> Option<Option<&Path>> {
        let journal = match self {
            Self::Plan(args) | Self::Check(args) => &args.journal.journal,
            Self::Run(args) => &args.journal.journal,
            Self::Status(args) => &args.journal.journal,
            Self::Remove(args) => &args.journal.journal,
            Self::Doctor(args) => &args.journal.journal,
            Self::Steps(args) | Self::Checks(args) => &args.journal,
            Self::Describe(args) => &args.list.journal,
            Self::Config(args) => match &args.command {
                ConfigCommand::Check(args) => &args.journal,
                ConfigCommand::Example | ConfigCommand::Schema => return None,
            },
            Self::History(_)
            | Self::Report(_)
            | Self::Migrations(_)
            | Self::Journal(_)
            | Self::Demo(_)
            | Self::Completions(_)
            | Self::Man(_) => return None,
        };
        Some(journal.as_deref())
    }
}

/// The two servers.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ServerArgs {
    /// The server to move from
    #[arg(
        long,
        env = "PGHAUL_SOURCE",
        hide_env_values = true,
        value_name = "CONNINFO",
        help_heading = "Servers"
    )]
    pub(crate) source: Option<String>,
    /// The server to move to
    #[arg(
        long,
        env = "PGHAUL_TARGET",
        hide_env_values = true,
        value_name = "CONNINFO",
        help_heading = "Servers"
    )]
    pub(crate) target: Option<String>,
    /// How many connections to open to each server at most
    #[arg(
        long,
        value_name = "N",
        default_value_t = 24,
        value_parser = clap::value_parser!(u16).range(5..),
        help_heading = "Servers"
    )]
    pub(crate) max_connections: u16,
}

/// What is moved.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct SelectionArgs {
    /// Move only databases whose whole name matches; may be repeated; * ? [ab] as in a shell
    #[arg(long, value_name = "PATTERN", help_heading = "What is moved")]
    pub(crate) database: Vec<String>,
    /// Leave out databases whose whole name matches; may be repeated
    #[arg(long, value_name = "PATTERN", help_heading = "What is moved")]
    pub(crate) exclude_database: Vec<String>,
    #[command(flatten)]
    pub(crate) objects: ObjectArgs,
    /// Insist on one method for all databases; otherwise replication wherever it is possible
    #[arg(
        long,
        value_name = "METHOD",
        value_parser = PossibleValuesParser::new(["replication", "dump"]).try_map(|text| text.parse::<Method>()),
        help_heading = "What is moved"
    )]
    pub(crate) method: Option<Method>,
    /// Who makes the initial copy of replication; by default pghaul, from a snapshot
    #[arg(
        long,
        value_name = "WHO",
        value_parser = PossibleValuesParser::new(["snapshot", "server"]).try_map(|text| text.parse::<InitialCopy>()),
        help_heading = "What is moved"
    )]
    pub(crate) initial_copy: Option<InitialCopy>,
    /// How the target's server reaches the source; by default as pghaul does
    #[arg(
        long,
        env = "PGHAUL_SOURCE_FROM_TARGET",
        hide_env_values = true,
        value_name = "CONNINFO",
        help_heading = "Servers"
    )]
    pub(crate) source_from_target: Option<String>,
    #[command(flatten)]
    pub(crate) mapping: MappingArgs,
}

impl SelectionArgs {
    /// What the journal keeps of it: no secrets.
    ///
    /// # Errors
    /// A filter file that can't be read; names that contradict each other.
    pub(crate) fn selection(&self, source_from_target: Option<String>) -> Result<Selection, Failure> {
        let (objects, filtered) = self.objects.selection()?;
        Ok(Selection {
            include: self.database.clone(),
            exclude: self.exclude_database.iter().cloned().chain(filtered).collect(),
            objects,
            method: self.method,
            initial_copy: self.initial_copy,
            source_from_target,
            mapping: self.mapping.mapping()?,
            ..Selection::default()
        })
    }
}

/// Which journal, and which migration in it.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct JournalArgs {
    /// The migration's name; by default the only open one
    #[arg(long, value_name = "NAME", help_heading = "Journal")]
    pub(crate) name: Option<String>,
    /// The journal file; by default pghaul/journal.db in $XDG_STATE_HOME or ~/.local/state
    #[arg(long, env = "PGHAUL_JOURNAL", value_name = "FILE", help_heading = "Journal")]
    pub(crate) journal: Option<PathBuf>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) servers: ServerArgs,
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    #[command(flatten)]
    pub(crate) checks: CheckArgs,
    #[command(flatten)]
    pub(crate) journal: JournalArgs,
    /// Answer in JSON
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) servers: ServerArgs,
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    #[command(flatten)]
    pub(crate) journal: JournalArgs,
    #[command(flatten)]
    pub(crate) checks: CheckArgs,
    /// What a check that finds an error in one database stops
    #[arg(
        long,
        value_name = "WHAT",
        default_value = "run",
        value_parser = PossibleValuesParser::new(["run", "database"]).try_map(|text| text.parse::<OnCheckFailure>()),
        help_heading = "Work"
    )]
    pub(crate) on_check_failure: OnCheckFailure,
    /// How many databases are moved side by side
    #[arg(
        long,
        value_name = "N",
        default_value_t = 2,
        value_parser = clap::value_parser!(u16).range(1..),
        help_heading = "Work"
    )]
    pub(crate) databases_at_once: u16,
    #[command(flatten)]
    pub(crate) copying: CopyingArgs,
    /// How much WAL the source may keep for a database, such as 20GB; by default four fifths of its
    /// max_slot_wal_keep_size, else eight times its max_wal_size
    #[arg(long, value_name = "SIZE", value_parser = size::parse, help_heading = "Work")]
    pub(crate) max_wal_retained: Option<u64>,
    /// What happens when it keeps more: say so, or drop the slot and fail the database
    #[arg(
        long,
        value_name = "ACTION",
        default_value = "warn",
        value_parser = PossibleValuesParser::new(["warn", "drop"]).try_map(|text| text.parse::<OnWalLimit>()),
        help_heading = "Work"
    )]
    pub(crate) on_wal_limit: OnWalLimit,
    /// Discard what was copied of a database, and copy it again: a replicated one that can't go on, or a dumped one that
    /// was written to since; may be repeated
    #[arg(long, value_name = "DATABASE", help_heading = "Work")]
    pub(crate) restart_data: Vec<String>,
    /// Go on although the last runner was on another host and has not ended in order
    #[arg(long, help_heading = "Work")]
    pub(crate) take_over: bool,
    #[command(flatten)]
    pub(crate) audit: AuditArgs,
    #[command(flatten)]
    pub(crate) metrics: MetricsArgs,
    /// Answer in JSON, as `status --json` does
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) servers: ServerArgs,
    #[command(flatten)]
    pub(crate) journal: JournalArgs,
    /// Answer in JSON
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
    /// Ask again and again, every two seconds or as often as is said: a live screen on a terminal, until q or Ctrl-C; elsewhere
    /// the whole answer each time
    #[arg(
        long,
        value_name = "SECONDS",
        num_args = 0..=1,
        default_missing_value = "2",
        value_parser = clap::value_parser!(u16).range(1..=3600),
        help_heading = "Output"
    )]
    pub(crate) watch: Option<u16>,
    #[command(flatten)]
    pub(crate) metrics: MetricsArgs,
    /// What the journal says of this event or time; the servers are not asked
    #[arg(
        long,
        value_name = "SEQ|TIME",
        conflicts_with = "watch",
        help_heading = "Output"
    )]
    pub(crate) at: Option<Place>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) servers: ServerArgs,
    #[command(flatten)]
    pub(crate) journal: JournalArgs,
    /// Drop what is left of a migration whose journal is lost; never data
    #[arg(long, value_name = "ID", help_heading = "Work")]
    pub(crate) drop: Option<String>,
    /// Do not ask before dropping
    #[arg(long, requires = "drop", help_heading = "Work")]
    pub(crate) yes: bool,
    /// Answer in JSON
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct JournalCommandArgs {
    #[command(subcommand)]
    pub(crate) command: JournalCommand,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum JournalCommand {
    /// Check that the journal is as it was written; names the first event that is not
    Verify(VerifyArgs),
    /// Write a migration's journal as text, to go on with on another machine
    Export(ExportArgs),
    /// Read an export into the journal file here
    Import(ImportArgs),
}

#[derive(Debug, Clone, Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    pub(crate) journal: JournalArgs,
    /// A head that was seen earlier: only so a cut tail or a rewritten journal shows
    #[arg(long, value_name = "SEQ:HASH", help_heading = "Journal")]
    pub(crate) head: Option<Head>,
    /// A file of anchors that `--anchor` has written: the journal must hold the event of each
    #[arg(long, value_name = "FILE", conflicts_with = "head", help_heading = "Journal")]
    pub(crate) anchor: Option<PathBuf>,
    /// The public key that every anchor must be signed with, such as id_ed25519.pub
    #[arg(long, value_name = "KEY", requires = "anchor", help_heading = "Journal")]
    pub(crate) signed_by: Option<PathBuf>,
    /// Answer in JSON
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ExportArgs {
    /// A file that does not exist yet, or - for stdout
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) journal: JournalArgs,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ImportArgs {
    /// What `journal export` has written, or - for stdin
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The journal file; by default pghaul/journal.db in $XDG_STATE_HOME or ~/.local/state
    #[arg(long, env = "PGHAUL_JOURNAL", value_name = "FILE", help_heading = "Journal")]
    pub(crate) journal: Option<PathBuf>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct RemoveArgs {
    #[command(flatten)]
    pub(crate) servers: ServerArgs,
    #[command(flatten)]
    pub(crate) journal: JournalArgs,
    /// Leave to you what is listed as incomplete; all else must be on the target
    #[arg(long, help_heading = "Work")]
    pub(crate) incomplete: bool,
    /// Remove although the source is written to, or was after a one-time copy: the target never gets these rows
    #[arg(long, help_heading = "Work")]
    pub(crate) applications_still_write: bool,
    /// Accept that this object is incomplete, as `status` names it, with `*` for any text; may be given several times
    #[arg(long, value_name = "OBJECT", help_heading = "Work")]
    pub(crate) accept_incomplete: Vec<String>,
    /// Remove although the target may lack something; what it has is kept
    #[arg(long, help_heading = "Work")]
    pub(crate) force: bool,
    /// With --force: this server no longer exists, or is another one now; what pghaul has made is removed from the other one
    #[arg(
        long,
        value_name = "SIDE",
        requires = "force",
        value_parser = PossibleValuesParser::new(["source", "target"]).try_map(|text| text.parse::<Side>()),
        help_heading = "Work"
    )]
    pub(crate) gone: Option<Side>,
    /// Go on although the last runner was on another host and has not ended in order
    #[arg(long, help_heading = "Work")]
    pub(crate) take_over: bool,
    #[command(flatten)]
    pub(crate) audit: AuditArgs,
    /// Answer in JSON, as `status --json` does
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

impl RemoveArgs {
    /// What the removal may leave undone.
    pub(crate) fn removal(&self) -> Removal {
        Removal {
            allowed: match (self.force, self.incomplete) {
                (true, _) => Allowed::Anything,
                (false, true) => Allowed::Incomplete,
                (false, false) if self.accept_incomplete.is_empty() => Allowed::Nothing,
                (false, false) => Allowed::Named(self.accept_incomplete.clone()),
            },
            applications_still_write: self.applications_still_write,
        }
    }
}

#[derive(Debug, Clone, Args)]
pub(crate) struct DemoArgs {
    /// Keep both clusters until Ctrl-C, and say how to reach them
    #[arg(long, help_heading = "Work")]
    pub(crate) keep: bool,
}

#[cfg(test)]
mod named;
#[cfg(test)]
mod tests;
