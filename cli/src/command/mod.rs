//! The commands. Each decides; `report` says how it looks.

mod answer;
mod config;
mod demo;
mod doctor;
mod finished;
mod frozen;
mod generated;
mod gone;
mod history;
mod journal;
mod migrations;
mod remove;
mod report;
mod run;
mod status;
mod steps;
mod survey;
mod watch;
mod worked;

use crate::anchor::{Anchor, Keeper};
use crate::args::Command;
use crate::configuration::Configuration;
use crate::exit_code::ExitCode;
use crate::printer::Printer;
use crate::view::View;
use pghaul_core::Failure;
use pghaul_core::event::Invocation;
use pghaul_step::Registry;
use std::sync::Arc;

/// What all commands share.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) registry: Arc<Registry>,
    pub(crate) configuration: Arc<Configuration>,
    pub(crate) printer: Printer,
    /// Who started this process, and how.
    pub(crate) invocation: Arc<Invocation>,
}

impl Session {
    /// Keeps the head of a migration's journal outside of it, where that is wanted, and says how the process is to exit: a failure
    /// to keep it counts where nothing else has failed.
    pub(crate) async fn anchor(
        &self,
        keeper: Option<&Keeper>,
        command: &str,
        view: &View,
        code: ExitCode,
    ) -> ExitCode {
        let Some(keeper) = keeper else { return code };
        let anchor = Anchor::new((&view.id, &view.name), &view.head, command, &self.invocation);
        match keeper.keep(anchor).await {
            Ok(()) => code,
            Err(failure) => {
                self.printer.error(&failure);
                if code == ExitCode::Success {
                    failure.code.into()
                } else {
                    code
                }
            }
        }
    }

    /// Does what the command says, and shows the error if there is one.
    pub(crate) async fn execute(&self, command: Command) -> ExitCode {
        let outcome = match command {
            Command::Plan(args) => survey::plan(self, &args).await,
            Command::Check(args) => survey::check(self, &args).await,
            Command::Run(args) => run::run(self, &args).await,
            Command::Status(args) => status::status(self, &args).await,
            Command::History(args) => history::history(self, &args).await,
            Command::Doctor(args) => doctor::doctor(self, &args).await,
            Command::Journal(args) => journal::journal(self, &args.command),
            Command::Migrations(args) => migrations::migrations(self, &args).await,
            Command::Report(args) => report::report(self, &args),
            Command::Remove(args) => remove::remove(self, &args).await,
            Command::Steps(args) => steps::steps(self, &args),
            Command::Checks(args) => steps::checks(self, &args),
            Command::Describe(args) => steps::describe(self, &args),
            Command::Config(args) => config::config(self, &args),
            Command::Demo(args) => demo::demo(self, &args).await,
            Command::Completions(args) => generated::completions(self, &args),
            Command::Man(args) => generated::man(&args),
        };
        outcome.unwrap_or_else(|failure: Failure| {
            self.printer.error(&failure);
            failure.code.into()
        })
    }
}
