//! The builder: a program of one's own with further steps and checks.

use crate::args::CommandLine;
use crate::command;
use crate::configuration::{Configuration, Places};
use crate::exit_code::ExitCode;
use crate::invocation;
use crate::logging;
use crate::printer::Printer;
use crate::typed::Typed;
use clap::{CommandFactory as _, FromArgMatches as _};
use pghaul_core::event::Invocation;
use pghaul_core::{Code, Failure};
use pghaul_step::{Check, Cluster, Database, Origin, Registry, Step};
use std::panic::resume_unwind;
use std::sync::Arc;
use tokio::runtime::Runtime;

/// What the first thread of a process usually has; without optimization, the default of others is not enough for a step
/// within a step.
const STACK: usize = 8 << 20;

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
    name: Option<(&'static str, &'static str)>,
}

impl Cli {
    /// A command line without any step.
    pub fn new() -> Self {
        Self::default()
    }

    /// The program's own name and version: for `--help`, `--version`, and the commands in hints.
    #[must_use]
    pub fn with_name(mut self, name: &'static str, version: &'static str) -> Self {
        self.name = Some((name, version));
        self
    }

    /// Adds the steps and checks that come with pghaul.
    #[must_use]
    pub fn with_builtin(mut self) -> Self {
        self.registry = self.registry.from_now_on(Origin::BuiltIn);
        self.registry = pghaul_steps::builtin(self.registry).from_now_on(Origin::Program);
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
        crate::signals::leave_no_core();
        let (line, invocation, typed) = match self.parse() {
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
        let printer = Printer::new(line.general.color, line.general.quiet).with_commands(typed);
        logging::start(&printer, line.general.verbose, line.general.quiet);
        self.start(line, invocation, &printer).into()
    }

    fn parse(&self) -> Result<(CommandLine, Invocation, Typed), clap::Error> {
        let mut command = CommandLine::command();
        if let Some((name, version)) = self.name {
            command = command.name(name).bin_name(name).version(version);
        }
        command.build();
        let matches = command.try_get_matches_from_mut(std::env::args_os())?;
        let invocation = invocation::of_process(&command, &matches);
        let typed = Typed::new(self.name.map_or("pghaul", |(name, _)| name), command, &matches);
        Ok((CommandLine::from_arg_matches(&matches)?, invocation, typed))
    }

    fn start(self, line: CommandLine, invocation: Invocation, printer: &Printer) -> ExitCode {
        match self.equip(&line, invocation, printer) {
            Ok((runtime, session)) => {
                // Beside the connections: on a thread of its own, it and a connection would wake each other with each message.
                let working = runtime.spawn(async move { session.execute(line.command).await });
                let code = runtime
                    .block_on(working)
                    .unwrap_or_else(|error| resume_unwind(error.into_panic()));
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

    /// Threads, and the steps and checks of the program and of the configuration.
    fn equip(
        self,
        line: &CommandLine,
        invocation: Invocation,
        printer: &Printer,
    ) -> Result<(Runtime, command::Session), Failure> {
        self.registry.validate()?;
        let (registry, configuration) = match line.command.configured() {
            None => (self.registry, Configuration::default()),
            Some(journal) => {
                let given = &line.general.configuration;
                let places = Places {
                    config: given.config.as_deref(),
                    sql_checks: given.sql_checks.as_deref(),
                    journal,
                };
                Configuration::load(self.registry, &places)?
            }
        };
        registry.validate()?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .thread_stack_size(STACK)
            .enable_all()
            .build()
            .map_err(|error| {
                Failure::new(Code::OutOfResources, "no threads can be started").with_cause(error)
            })?;
        let session = command::Session {
            registry: Arc::new(registry),
            configuration: Arc::new(configuration),
            printer: printer.clone(),
            invocation: Arc::new(invocation),
        };
        Ok((runtime, session))
    }
}
