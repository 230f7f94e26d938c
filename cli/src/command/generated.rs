//! `pghaul completions` and `pghaul man`. Both connect to nothing and read no journal.

use super::Session;
use crate::args::{CommandLine, CompletionsArgs, ManArgs};
use crate::exit_code::ExitCode;
use clap::CommandFactory as _;
use clap_complete::Shell;
use pghaul_core::{Code, Failure};
use std::path::Path;

/// Prints the script that a shell sources.
pub(crate) fn completions(session: &Session, args: &CompletionsArgs) -> Result<ExitCode, Failure> {
    session.printer.answer(&script(args.shell)?)?;
    Ok(ExitCode::Success)
}

/// Writes the pages.
pub(crate) fn man(args: &ManArgs) -> Result<ExitCode, Failure> {
    let directory = &args.directory;
    let failed = |error| {
        let what = format!("the manual pages can't be written to {}", directory.display());
        Failure::new(Code::BadInput, what)
            .with_cause(error)
            .with_hint("name a directory that you can write to")
    };
    pages(directory).map_err(failed)?;
    Ok(ExitCode::Success)
}

fn script(shell: Shell) -> Result<String, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut CommandLine::command(), "pghaul", &mut script);
    String::from_utf8(script).map_err(|error| Failure::bug(format!("the script is not UTF-8: {error}")))
}

fn pages(directory: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(directory)?;
    let command = CommandLine::command().disable_help_subcommand(true);
    clap_mangen::generate_to(command, directory)
}

#[cfg(test)]
mod tests {
    use super::{CommandLine, pages, script};
    use clap::{CommandFactory as _, ValueEnum as _};
    use clap_complete::Shell;
    use std::process::Command;

    /// What bash offers for the last word, as a user sees it after the tabulator key.
    fn offered_by_bash(words: &[&str]) -> String {
        let last = words.len() - 1;
        let (current, previous) = (words[last], words[last - 1]);
        let program = format!(
            "{}\nCOMP_WORDS=({}); COMP_CWORD={last}; _pghaul pghaul {current:?} {previous:?}; echo \"${{COMPREPLY[*]}}\"",
            script(Shell::Bash).unwrap(),
            words.join(" "),
        );
        let output = Command::new("bash").args(["-c", &program]).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && errors.is_empty(), "{errors}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    #[test]
    fn bash_completes_commands_options_and_values() {
        assert_eq!(offered_by_bash(&["pghaul", "hist"]), "history");
        assert_eq!(offered_by_bash(&["pghaul", "run", "--initial"]), "--initial-copy");
        assert_eq!(offered_by_bash(&["pghaul", "run", "--method", "d"]), "dump");
        assert_eq!(offered_by_bash(&["pghaul", "journal", "ver"]), "verify");
    }

    #[test]
    fn every_shell_has_a_script_that_names_all_commands() {
        let command = CommandLine::command();
        for shell in Shell::value_variants() {
            let script = script(*shell).unwrap();
            for subcommand in command.get_subcommands().filter(|c| !c.is_hide_set()) {
                let name = subcommand.get_name();
                assert!(script.contains(name), "{shell}: {name}");
            }
        }
    }

    #[test]
    fn every_command_has_a_page_with_all_of_its_options() {
        let scratch = tempfile::tempdir().unwrap();
        let directory = scratch.path().join("man");
        pages(&directory).unwrap();
        let mut command = CommandLine::command();
        command.build();
        let visible = |command: &&clap::Command| !command.is_hide_set() && command.get_name() != "help";
        let page = |name: &str| std::fs::read_to_string(directory.join(format!("{name}.1"))).unwrap();
        for subcommand in command.get_subcommands().filter(visible) {
            let name = format!("pghaul-{}", subcommand.get_name());
            assert!(page("pghaul").contains(&name.replace('-', "\\-")), "{name}");
            for option in subcommand.get_arguments().filter_map(clap::Arg::get_long) {
                let escaped = format!("\\-\\-{}", option.replace('-', "\\-"));
                assert!(page(&name).contains(&escaped), "{name}: {option}");
            }
        }
    }
}
