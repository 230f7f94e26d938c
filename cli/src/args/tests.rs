//! Arguments as people and scripts write them, right and wrong.

use super::CommandLine;
use clap::{CommandFactory as _, Parser as _};
use proptest::prelude::*;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

fn error(arguments: &[&str]) -> String {
    let arguments = std::iter::once("pghaul").chain(arguments.iter().copied());
    CommandLine::try_parse_from(arguments).unwrap_err().to_string()
}

#[test]
fn the_definition_is_consistent() {
    CommandLine::command().debug_assert();
}

#[test]
fn the_help_of_every_command_has_an_example() {
    for command in CommandLine::command()
        .get_subcommands()
        .filter(|command| !command.is_hide_set())
    {
        let help = command
            .get_after_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        let example = format!("  pghaul {}", command.get_name());
        assert!(help.contains(&example), "{}", command.get_name());
    }
}

#[test]
fn mistakes_are_explained() {
    let mistakes: [&[&str]; 8] = [
        &["runn"],
        &["run", "--methd", "dump"],
        &["run", "--method", "pg_dump"],
        &["run", "--jobs", "0"],
        &["run", "--rate-limit", "0MB"],
        &["run", "--on-check-failure", "nothing"],
        &["status", "--nme", "x"],
        &["history", "--kind", "retired"],
    ];
    let texts: Vec<String> = mistakes
        .iter()
        .map(|m| format!("$ pghaul {}\n{}", m.join(" "), error(m)))
        .collect();
    insta::assert_snapshot!(texts.join("\n"));
}

#[test]
fn help_shows_no_value_of_the_environment() {
    for (name, secret) in [
        ("PGHAUL_SOURCE", true),
        ("PGHAUL_TARGET", true),
        ("PGHAUL_JOURNAL", false),
    ] {
        let command = CommandLine::command();
        let run = command.find_subcommand("run").unwrap();
        let argument = run
            .get_arguments()
            .find(|a| a.get_env().is_some_and(|env| env == name))
            .unwrap();
        assert_eq!(argument.is_hide_env_values_set(), secret, "{name}");
    }
}

/// What arguments are made of: real ones, values that some of them take, and anything.
fn word() -> impl Strategy<Value = OsString> {
    let command = CommandLine::command();
    let commands = command.get_subcommands().map(|c| c.get_name().to_owned());
    let options = command
        .get_subcommands()
        .flat_map(clap::Command::get_arguments)
        .filter_map(|argument| Some(format!("--{}", argument.get_long()?)));
    let mut known: Vec<String> = commands.chain(options).collect();
    known.extend(
        [
            "dump",
            "1MiB",
            "postgresql://u:p@h:1/d?x=%41",
            "1:abc",
            "a=b",
            "-",
            "--",
            "18446744073709551616",
        ]
        .map(str::to_owned),
    );
    prop_oneof![
        4 => prop::sample::select(known).prop_map(OsString::from),
        1 => ".{0,20}".prop_map(OsString::from),
        1 => prop::collection::vec(any::<u8>(), 0..20).prop_map(OsString::from_vec),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    /// Whatever is written, it is understood or explained.
    #[test]
    fn any_arguments_are_understood_or_explained(arguments in prop::collection::vec(word(), 0..8)) {
        let line = std::iter::once(OsString::from("pghaul")).chain(arguments);
        if let Err(error) = CommandLine::try_parse_from(line) {
            prop_assert!([0, 2].contains(&error.exit_code()));
            prop_assert!(!error.to_string().is_empty());
        }
    }
}
