//! Who started this process, and how: what the journal keeps of it.

use crate::redacted;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use pghaul_core::event::{Account, GivenOption, Invocation};
use pghaul_store::account;
use std::path::Path;

/// This process, started with these arguments.
pub(crate) fn of_process(command: &Command, matches: &ArgMatches) -> Invocation {
    let mut arguments: Vec<String> = std::env::args_os()
        .map(|text| text.to_string_lossy().into_owned())
        .collect();
    // Where it is installed is of no use to a reader elsewhere.
    if let Some(first) = arguments.first_mut()
        && let Some(name) = Path::new(first).file_name()
    {
        *first = name.to_string_lossy().into_owned();
    }
    let program = arguments.first().cloned().unwrap_or_default();
    Invocation {
        real: account(nix::unistd::getuid().as_raw()),
        effective: account(nix::unistd::geteuid().as_raw()),
        sudo: caller_of_sudo(),
        program,
        options: given_options(command, matches),
        command_line: redacted::command_line(arguments),
        directory: directory(),
        configuration: None,
        reason: None,
    }
}

fn directory() -> Option<String> {
    let directory = std::env::current_dir().ok()?;
    Some(directory.to_string_lossy().into_owned())
}

/// The user that `sudo` reports. It counts only where this process is root, as a claim: root can set these variables too.
fn caller_of_sudo() -> Option<Account> {
    if !nix::unistd::geteuid().is_root() {
        return None;
    }
    let uid = std::env::var("SUDO_UID").ok()?.parse().ok()?;
    // The number is looked up, so that the name fits it.
    Some(account(uid))
}

/// The options of a command and its subcommands that were given and differ from their defaults.
fn given_options(command: &Command, matches: &ArgMatches) -> Vec<GivenOption> {
    let mut options: Vec<GivenOption> = command
        .get_arguments()
        .filter_map(|argument| given(argument, matches))
        .collect();
    if let Some((name, matches)) = matches.subcommand()
        && let Some(command) = command.find_subcommand(name)
    {
        let of_command = given_options(command, matches);
        options.retain(|option| of_command.iter().all(|other| other.option != option.option));
        options.extend(of_command);
    }
    options
}

fn given(argument: &Arg, matches: &ArgMatches) -> Option<GivenOption> {
    let id = argument.get_id().as_str();
    let source = matches
        .try_contains_id(id)
        .ok()
        .and_then(|_| matches.value_source(id))?;
    if source == ValueSource::DefaultValue {
        return None;
    }
    let raw = matches.get_raw(id).into_iter().flatten();
    let values: Vec<String> = raw.map(|text| text.to_string_lossy().into_owned()).collect();
    let defaults = argument.get_default_values();
    if !defaults.is_empty()
        && values
            .iter()
            .map(String::as_str)
            .eq(defaults.iter().filter_map(|d| d.to_str()))
    {
        return None;
    }
    let option = argument
        .get_long()
        .map_or_else(|| id.to_owned(), |long| format!("--{long}"));
    let values = match argument.get_action() {
        ArgAction::SetTrue | ArgAction::Count => Vec::new(),
        _ => values.iter().map(|text| redacted::value(&option, text)).collect(),
    };
    let variable = argument.get_env().filter(|_| source == ValueSource::EnvVariable);
    Some(GivenOption {
        option,
        values,
        variable: variable.map(|name| name.to_string_lossy().into_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::given_options;
    use crate::args::CommandLine;
    use clap::CommandFactory as _;

    fn given(arguments: &[&str]) -> Vec<String> {
        let mut command = CommandLine::command();
        command.build();
        let matches = command.clone().get_matches_from(arguments);
        let options = given_options(&command, &matches);
        options
            .iter()
            .map(|o| format!("{} {}", o.option, o.values.join(",")))
            .collect()
    }

    #[test]
    fn only_what_differs_from_the_defaults_is_kept() {
        let options = given(&[
            "pghaul",
            "remove",
            "--force",
            "--max-connections",
            "24",
            "--name",
            "a",
            "-v",
            "--source",
            "host=old password=s3cr3t",
        ]);
        assert_eq!(
            options,
            ["--source host=old", "--name a", "--force ", "--verbose "]
        );
    }
}
