//! The command line of pghaul, as a library: a program of your own adds steps and checks to it.
//!
//! ```no_run
//! fn main() -> std::process::ExitCode {
//!     pghaul::Cli::new().with_builtin().run()
//! }
//! ```
//!
//! - `args` is the command line as it is written; `command` has a module for each command
//! - `configuration` adds the steps and checks that are no code of the program
//! - `journals` finds the journal and the migration in it, `servers` the two servers
//! - `typed` makes the commands in messages ones that can be typed as they are
//! - `invocation` is who started this process and how, `redacted` keeps secrets out of it
//! - `anchor` keeps the journal's head outside of it
//! - `runner` is a process that has the lock: it opens, journals its start and its end
//! - `view` is what is shown of a migration; `report` makes texts of it, `printer` alone prints them
//! - `progress` watches the engine, with bars or with lines
//! - [`ExitCode`] is how it all ends

mod account;
mod anchor;
mod args;
mod cli;
mod command;
mod configuration;
mod copied;
mod copying;
mod drawing;
mod exit_code;
mod invocation;
mod journals;
mod logging;
mod metrics;
mod moment;
mod naming;
mod printer;
mod progress;
mod redacted;
#[cfg(test)]
mod reference;
mod report;
mod runner;
mod screen;
mod servers;
mod side_by_side;
mod signals;
mod size;
mod style;
mod typed;
mod view;

pub use cli::Cli;
pub use exit_code::ExitCode;
