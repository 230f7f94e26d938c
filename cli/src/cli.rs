//! The builder: a program of one's own with further steps and checks.

use crate::args::{Command, CommandLine};
use crate::command;
use crate::exit_code::ExitCode;
use crate::invocation;
use crate::logging;
use crate::printer::Printer;
use clap::{CommandFactory as _, FromArgMatches as _};
use pghaul_core::event::Invocation;
use pghaul_core::{Code, Failure};
use pghaul_step::{Check, Cluster, Database, Registry, Step};
use std::sync::Arc;

/// pghaul's command line, made of steps and checks.
///
/// ```no_run
/// # use pghaul_step::{async_trait, CheckContext, CheckDescriptor, Database, Failure, Finding};
/// struct Office;
///
/// #[async_trait]
/// impl pghaul_step::Check for Office {
///     type Scope = Database;
///     fn descriptor(&self) -> CheckDescriptor {
///         CheckDescriptor { name: "office", summary: "nobody works on it now", after: &[] }
///     }
///     async fn examine(&self, _: &CheckContext<Database>) -> Result<Vec<Finding>, Failure> {
///         Ok(Vec::new())
///     }
/// }
///
/// fn main() -> std::process::ExitCode {
///     pghaul::Cli::new().with_builtin().with_check(Office).run()
/// }
/// ```
#[derive(Default)]
pub struct Cli {
    registry: Registry,
}

impl Cli {
    /// A command line without any step.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the steps and checks that come with pghaul.
    #[must_use]
    pub fn with_builtin(mut self) -> Self {
        self.registry = pghaul_steps::builtin(self.registry);
        self
    }

    /// Adds a step that runs once for each database.
    #[must_use]
    pub fn with_step(mut self, step: impl Step<Scope = Database>) -> Self {
        self.registry = self.registry.with_step(step);
        self
    }

    /// Adds a step that runs once.
    #[must_use]
    pub fn with_cluster_step(mut self, step: impl Step<Scope = Cluster>) -> Self {
        self.registry = self.registry.with_cluster_step(step);
        self
    }

    /// Adds a check that looks at each database.
    #[must_use]
    pub fn with_check(mut self, check: impl Check<Scope = Database>) -> Self {
        self.registry = self.registry.with_check(check);
        self
    }

    /// Adds a check that looks at the servers as a whole.
    #[must_use]
    pub fn with_cluster_check(mut self, check: impl Check<Scope = Cluster>) -> Self {
        self.registry = self.registry.with_cluster_check(check);
        self
    }

    /// Reads the process' arguments, does what they say, and says how it ended.
    pub fn run(self) -> std::process::ExitCode {
        let mut command = CommandLine::command();
        command.build();
        let parsed = command
            .try_get_matches_from_mut(std::env::args_os())
            .and_then(|matches| {
                let invocation = invocation::of_process(&command, &matches);
                Ok((CommandLine::from_arg_matches(&matches)?, invocation))
            });
        let (line, invocation) = match parsed {
            Ok(parsed) => parsed,
            Err(error) => {
                // Help and the version go to stdout, mistakes to stderr; a closed pipe is no error.
                let _ = error.print();
                return if error.use_stderr() {
                    ExitCode::Usage
                } else {
                    ExitCode::Success
                }
                .into();
            }
        };
        let printer = Printer::new(line.general.color, line.general.quiet);
        logging::start(&printer, line.general.verbose, line.general.quiet);
        self.start(line.command, invocation, &printer).into()
    }

    fn start(self, command: Command, invocation: Invocation, printer: &Printer) -> ExitCode {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let outcome = self.registry.validate().map_err(Failure::from).and_then(|()| {
            runtime.map_err(|error| {
                Failure::new(Code::OutOfResources, "no threads can be started").with_cause(error)
            })
        });
        match outcome {
            Ok(runtime) => {
                let session = command::Session {
                    registry: Arc::new(self.registry),
                    printer: printer.clone(),
                    invocation: Arc::new(invocation),
                };
                let code = runtime.block_on(session.execute(command));
                // What still runs in the background has been told to end; nobody waits for it.
                runtime.shutdown_background();
                code
            }
            Err(failure) => {
                printer.error(&failure);
                failure.code.into()
            }
        }
    }
}
