//! Keeps `docs/reference` true. `UPDATE_DOCS=1 cargo test -p pghaul reference` writes the generated pages.

use crate::args::CommandLine;
use crate::exit_code::ExitCode;
use clap::CommandFactory as _;
use pghaul_core::Code;
use std::path::PathBuf;
use strum::IntoEnumIterator as _;

fn page(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../docs/reference")
        .join(name)
}

fn check(name: &str, expected: &str) {
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(page(name), expected).unwrap();
    }
    let found = std::fs::read_to_string(page(name)).unwrap_or_default();
    assert!(
        found == expected,
        "docs/reference/{name} is out of date: UPDATE_DOCS=1 writes it"
    );
}

#[test]
fn exit_codes_are_documented() {
    let mut text = String::from(
        "# Exit codes\n\nGenerated from `cli/src/exit_code.rs`. Numbers are stable.\n\n\
         | Exit code | Meaning | Errors |\n|---|---|---|\n",
    );
    for exit in ExitCode::iter() {
        let codes: Vec<String> = Code::iter()
            .filter(|code| ExitCode::from(*code) == exit)
            .map(|code| format!("`{code}`"))
            .collect();
        text.push_str(&format!(
            "| {} | {} | {} |\n",
            exit.number(),
            exit.meaning(),
            codes.join(", ")
        ));
    }
    check("exit-codes.md", &text);
}

#[test]
fn the_command_line_is_documented() {
    let mut command = CommandLine::command().term_width(100);
    command.build();
    let mut text = String::from("# Command line\n\nGenerated from `cli/src/args.rs`.\n");
    let mut add = |title: &str, help: String| {
        let help: Vec<&str> = help.lines().map(str::trim_end).collect();
        text.push_str(&format!(
            "\n## {title}\n\n```text\n{}\n```\n",
            help.join("\n").trim_end()
        ));
    };
    add("pghaul", command.render_long_help().to_string());
    for subcommand in command.get_subcommands_mut().filter(|c| c.get_name() != "help") {
        let title = format!("pghaul {}", subcommand.get_name());
        add(&title, subcommand.render_long_help().to_string());
        for inner in subcommand
            .get_subcommands_mut()
            .filter(|c| c.get_name() != "help")
        {
            let title = format!("{title} {}", inner.get_name());
            add(&title, inner.render_long_help().to_string());
        }
    }
    check("command-line.md", &text);
}

#[test]
fn every_error_has_a_section() {
    let text = std::fs::read_to_string(page("errors.md")).unwrap();
    for code in Code::iter() {
        let (heading, exit) = (format!("\n## `{code}`\n"), ExitCode::from(code).number());
        let section = text
            .split_once(&heading)
            .unwrap_or_else(|| panic!("errors.md lacks {code}"))
            .1;
        assert!(
            section.trim_start().starts_with(&format!("Exit code {exit}. ")),
            "errors.md: {code} is {exit}"
        );
    }
    assert_eq!(
        text.matches("\n## `").count(),
        Code::iter().count(),
        "a section without a code"
    );
}

#[test]
fn the_configuration_is_documented() {
    let example = crate::configuration::example().unwrap();
    let text = format!(
        "# The configuration file\n\n\
         Generated from `steps/external/src/definition.rs` and `cli/src/configuration/file.rs`. No command needs a configuration: it adds\n\
         [checks](../how-to/add-a-check.md), [steps](../how-to/add-a-step.md) and observers that are programs, or checks in SQL.\n\n\
         The file is the one that `--config` or `PGHAUL_CONFIG` names; else `pghaul.toml` beside the journal; else `pghaul/pghaul.toml` in\n\
         `$XDG_CONFIG_HOME` or `~/.config`. The commands `plan`, `check`, `run`, `status`, `remove`, `doctor`, `steps`, `checks` and `describe` read\n\
         it, and refuse one with any mistake, with its line and column. One that everyone can write is refused too, and,\n\
         unless `--config` names it, one that belongs to another user than you or root: it names programs that run\n\
         as you.\n\n\
         | command | shows |\n|---|---|\n\
         | `pghaul config check` | whether the configuration, its programs and the checks in SQL are right, and where they are or are looked for |\n\
         | `pghaul config example` | the example below |\n\
         | `pghaul config schema` | a JSON Schema, for editors |\n\
         | `pghaul steps`, `pghaul checks` | what it has added, with its origin |\n\
         | `pghaul describe NAME` | where a step or a check comes from, and its place among the others |\n\n\
         What programs are sent and answer: [the protocol](protocol.md).\n\n```toml\n{example}```\n"
    );
    check("configuration.md", &text);
}

#[test]
fn the_profiles_of_providers_are_documented() {
    let mut text = String::from(
        "# Providers\n\n\
         Generated from `core/engine/src/provider/profiles`, where each entry has its source. A source that has all marks of a profile comes from\n\
         that provider; the first profile that fits counts. What belongs to the provider is left out unless something else needs it: see\n\
         [select what is moved](../how-to/select-what-is-moved.md#clusters-of-providers).\n",
    );
    for profile in pghaul_engine::provider::profiles().unwrap() {
        let (marks, own) = (&profile.recognised_by, &profile.leaves_out);
        text.push_str(&format!(
            "\n## {}\n\n`--provider {}`. Source: <{}>\n\n| | |\n|---|---|\n",
            profile.title, profile.name, profile.source
        ));
        for (what, names) in [
            ("recognised by roles", &marks.roles),
            ("recognised by databases", &marks.databases),
            ("recognised by functions", &marks.functions),
            ("schemas that are left out", &own.schemas),
            ("extensions that are left out", &own.extensions),
            ("event triggers that are left out", &own.event_triggers),
            ("publications that are left out", &own.publications),
            (
                "databases that are left out unless they are named",
                &own.databases,
            ),
            ("roles that get no attributes", &own.roles),
        ] {
            if !names.is_empty() {
                text.push_str(&format!("| {what} | `{}` |\n", names.join("`, `")));
            }
        }
    }
    check("providers.md", &text);
}
