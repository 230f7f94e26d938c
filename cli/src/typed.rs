//! Commands in messages, so that they can be typed as they are: with the name of the program, and with the journal and the
//! migration that this command was given.

use clap::parser::ValueSource;
use clap::{ArgMatches, Command};
use pghaul_core::shell_word;
use std::sync::Arc;

/// The name that texts have, to be replaced by that of another program.
const PGHAUL: &str = "pghaul";

/// What is given to a command again, where it takes that.
const REPEATED: [&str; 2] = ["name", "journal"];

/// How commands are to be typed.
#[derive(Debug, Clone)]
pub(crate) struct Typed {
    program: &'static str,
    /// Options with their values, as words of a command line.
    repeated: Vec<(&'static str, String)>,
    /// The command line as it is defined.
    command: Arc<Command>,
}

impl Default for Typed {
    fn default() -> Self {
        Self {
            program: PGHAUL,
            repeated: Vec::new(),
            command: Arc::new(Command::new(PGHAUL)),
        }
    }
}

impl Typed {
    /// For a program of this name, with this command line, all of it built, and started with these arguments. What the environment gives, it gives again.
    pub(crate) fn new(program: &'static str, command: Command, matches: &ArgMatches) -> Self {
        let mut innermost = matches;
        while let Some((_, inner)) = innermost.subcommand() {
            innermost = inner;
        }
        let given = |option| {
            let source = innermost.try_contains_id(option).ok()?;
            let source = source.then(|| innermost.value_source(option))??;
            let value = innermost.get_raw(option)?.next()?.to_string_lossy();
            (source == ValueSource::CommandLine).then(|| (option, shell_word(&value)))
        };
        Self {
            program,
            repeated: REPEATED.into_iter().filter_map(given).collect(),
            command: Arc::new(command),
        }
    }

    /// A text in which every command that stands between backticks, or makes up an entry of a numbered list, has the name of
    /// the program.
    pub(crate) fn named(&self, text: &str) -> String {
        self.each(text, |_| String::new())
    }

    /// The same, and each command has the options that are repeated.
    pub(crate) fn complete(&self, text: &str) -> String {
        if self.repeated.is_empty() || !text.contains("pghaul ") {
            return self.named(text);
        }
        self.each(text, |words| self.lacking(words))
    }

    fn each(&self, text: &str, lacking: impl Fn(&str) -> String) -> String {
        let mut shown = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(begin) = rest.find("pghaul ") {
            let (before, command) = rest.split_at(begin);
            shown.push_str(before);
            let after = command.strip_prefix("pghaul ").unwrap_or_default();
            if before.ends_with('`') || is_numbered(before) {
                let end = after.find(['`', '\n']).unwrap_or(after.len());
                let words = after.get(..end).unwrap_or_default();
                let name = command_of(words);
                shown.push_str(&format!("{} {name}{}", self.program, lacking(words)));
                rest = after.get(name.len()..).unwrap_or_default();
            } else {
                shown.push_str("pghaul ");
                rest = after;
            }
        }
        shown.push_str(rest);
        shown
    }

    /// The repeated options that a command takes and does not have.
    fn lacking(&self, words: &str) -> String {
        let mut command = &*self.command;
        for name in command_of(words).split(' ') {
            match command.find_subcommand(name) {
                Some(found) => command = found,
                None => return String::new(),
            }
        }
        let takes = |option: &str| command.get_arguments().any(|a| a.get_long() == Some(option));
        let has = |option: &str| words.contains(&format!("--{option} "));
        self.repeated
            .iter()
            .filter(|(option, _)| takes(option) && !has(option))
            .map(|(option, value)| format!(" --{option} {value}"))
            .collect()
    }
}

/// Whether a text ends where the entry of a numbered list begins.
fn is_numbered(before: &str) -> bool {
    let line = before.rsplit('\n').next().unwrap_or_default();
    let number = line.trim_start().strip_suffix(". ");
    number.is_some_and(|number| !number.is_empty() && number.chars().all(|c| c.is_ascii_digit()))
}

/// The names of the command and of its subcommand that the words begin with.
fn command_of(words: &str) -> &str {
    let is_name = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase());
    let mut end = 0;
    for word in words.split(' ').take_while(|word| is_name(word)).take(2) {
        end += word.len() + usize::from(end > 0);
    }
    let both = words.get(..end).unwrap_or_default();
    let nested = ["journal ", "migrations ", "config "];
    match both.split_once(' ') {
        Some((first, _)) if !nested.iter().any(|begin| both.starts_with(begin)) => first,
        _ => both,
    }
}

#[cfg(test)]
mod tests {
    use super::Typed;
    use crate::args::CommandLine;
    use clap::CommandFactory as _;

    fn typed(arguments: &[&str]) -> Typed {
        let mut command = CommandLine::command();
        command.build();
        let arguments = std::iter::once("pghaul").chain(arguments.iter().copied());
        let matches = command.clone().get_matches_from(arguments);
        Typed::new("mover", command, &matches)
    }

    #[test]
    fn a_command_acts_on_the_same_migration() {
        let given = typed(&["run", "--journal", "it's.db", "--name", "a"]);
        for (text, complete) in [
            (
                "`pghaul remove --force` removes",
                r"`mover remove --name a --journal 'it'\''s.db' --force` removes",
            ),
            (
                "see `pghaul run`; or `pghaul status --name b`",
                r"see `mover run --name a --journal 'it'\''s.db'`; or `mover status --journal 'it'\''s.db' --name b`",
            ),
            (
                "  1. stop\n  2. pghaul run --name a --restart-data x   copies",
                "  1. stop\n  2. mover run --journal 'it'\\''s.db' --name a --restart-data x   copies",
            ),
            (
                "`pghaul migrations close NAME` and `pghaul demo --keep`",
                r"`mover migrations close --journal 'it'\''s.db' NAME` and `mover demo --keep`",
            ),
            (
                "`pghaul journal verify`, pghaul run and `pghaul …`",
                r"`mover journal verify --name a --journal 'it'\''s.db'`, pghaul run and `mover …`",
            ),
        ] {
            assert_eq!(given.complete(text), complete);
        }
    }

    #[test]
    fn what_was_not_given_is_not_repeated() {
        let plain = typed(&["status", "--source", "host=old"]);
        assert_eq!(
            plain.complete("`pghaul remove` ends it"),
            "`mover remove` ends it"
        );
        let closed = typed(&["migrations", "close", "x", "--journal", "j.db"]);
        assert_eq!(
            closed.complete("`pghaul status`"),
            "`mover status --name x --journal j.db`"
        );
        assert_eq!(closed.named("`pghaul run`"), "`mover run`");
    }
}
