//! Reads the file and validates it as a whole: every mistake has its line and column.

use super::program;
use pghaul_core::event::{ConfigurationFile, DatabaseEventKind, MigrationEventKind, StepEventKind};
use pghaul_core::{Code, Failure, escaped, hex};
use pghaul_external::definition::Command;
use pghaul_external::{CheckDefinition, ObserverDefinition, StepDefinition};
use pghaul_step::registry::is_name;
use pghaul_step::{Registry, alike};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use strum::IntoEnumIterator as _;
use toml::de::{DeTable, DeValue};

/// The configuration of pghaul.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "pghaul.toml")]
pub(crate) struct File {
    /// The folder of checks in SQL, relative to the folder of this file. Otherwise `sql-checks` beside the journal.
    #[serde(default)]
    pub(crate) sql_checks: Option<PathBuf>,
    /// Checks that are programs.
    #[serde(default)]
    pub(crate) check: Vec<CheckDefinition>,
    /// Steps that are programs.
    #[serde(default)]
    pub(crate) step: Vec<StepDefinition>,
    /// Programs that receive every event.
    #[serde(default)]
    pub(crate) observer: Vec<ObserverDefinition>,
}

/// Where something stands: keys, and numbers in lists.
type Path_ = Vec<Part>;

#[derive(Debug, Clone)]
enum Part {
    Key(&'static str),
    Index(usize),
}

/// Reads a file, also as the journal names it.
///
/// # Errors
/// [`Code::BadInput`]: the first mistake, and the others as causes.
pub(super) fn read(path: &Path, registry: &Registry) -> Result<(File, ConfigurationFile), Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| failure(format!("{} can't be read", path.display())).with_cause(error))?;
    let contents = parse(&text, registry).map_err(|mistakes| {
        refused(path, &text, &mistakes)
            .with_hint("`pghaul config example` shows every key, `pghaul config schema` prints a JSON Schema")
    })?;
    let journaled = ConfigurationFile {
        file: path.display().to_string(),
        sha256: hex(&Sha256::digest(text.as_bytes())),
    };
    Ok((contents, journaled))
}

/// Looks for the programs of a file that has been read: only `config check` does, as what is missing now may be there in time.
///
/// # Errors
/// [`Code::BadInput`]: as [`read`].
pub(super) fn find_programs(path: &Path) -> Result<(), Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| failure(format!("{} can't be read", path.display())).with_cause(error))?;
    let mistakes = match toml::from_str(&text) {
        Ok(file) => {
            let mut problems = Problems::default();
            problems.of_programs(&file, path.parent().unwrap_or(Path::new(".")));
            problems.placed(&text)
        }
        Err(error) => vec![Mistake::of(&error)],
    };
    match mistakes.is_empty() {
        true => Ok(()),
        false => Err(refused(path, &text, &mistakes)),
    }
}

/// The first mistake, and the others as causes.
fn refused(path: &Path, text: &str, mistakes: &[Mistake]) -> Failure {
    let named = |mistake: &Mistake| {
        let (line, column) = mistake.place(text);
        format!(
            "{}, line {line}, column {column}: {}",
            path.display(),
            escaped(&mistake.message)
        )
    };
    let mut mistakes = mistakes.iter().map(named);
    let first = failure(mistakes.next().unwrap_or_default());
    mistakes.fold(first, Failure::with_cause)
}

fn failure(message: String) -> Failure {
    Failure::new(Code::BadInput, message).with_operation("read the configuration")
}

/// Something wrong, at a place of the text.
#[derive(Debug)]
struct Mistake {
    at: Range<usize>,
    message: String,
}

impl Mistake {
    fn of(error: &toml::de::Error) -> Self {
        Self {
            at: error.span().unwrap_or(0..0),
            message: with_offer(error.message()),
        }
    }

    /// Line and column, from 1.
    fn place(&self, text: &str) -> (usize, usize) {
        let before = text.get(..self.at.start).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (line, column)
    }
}

fn parse(text: &str, registry: &Registry) -> Result<File, Vec<Mistake>> {
    let file: File = toml::from_str(text).map_err(|error| vec![Mistake::of(&error)])?;
    let mut problems = Problems::default();
    problems.of_checks(&file, registry);
    problems.of_steps(&file, registry);
    problems.of_observers(&file);
    let mistakes = problems.placed(text);
    match mistakes.is_empty() {
        true => Ok(file),
        false => Err(mistakes),
    }
}

/// serde's sentence, with the name that was probably meant: ``unknown field `comand`, expected one of `name`, `command` ``.
fn with_offer(message: &str) -> String {
    let message = message.trim_end();
    if let Some(given) = (message.strip_prefix("invalid type: string "))
        .and_then(|rest| rest.strip_suffix(", expected a sequence"))
    {
        return format!("{given} is no list: write it as [{given}]");
    }
    let mut quoted = message.split('`').skip(1).step_by(2);
    let unknown = message.starts_with("unknown ");
    match quoted
        .next()
        .filter(|_| unknown)
        .and_then(|given| alike(given, quoted))
    {
        Some(meant) => format!("{message}; did you mean `{meant}`?"),
        None => message.to_owned(),
    }
}

/// Where the value at a path stands; where its list or table does otherwise.
fn span(table: &DeTable<'_>, path: &[Part]) -> Range<usize> {
    let mut parts = path.iter();
    let Some(Part::Key(first)) = parts.next() else {
        return 0..0;
    };
    let Some(mut value) = table.get(*first) else {
        return 0..0;
    };
    for part in parts {
        let next = match (part, value.get_ref()) {
            (Part::Key(key), DeValue::Table(table)) => table.get(*key),
            (Part::Index(index), DeValue::Array(list)) => list.get(*index),
            _ => None,
        };
        match next {
            Some(next) => value = next,
            None => break,
        }
    }
    value.span()
}

/// Mistakes that only the whole file, or the program, tells.
#[derive(Default)]
struct Problems(Vec<(Path_, String)>);

impl Problems {
    fn placed(self, text: &str) -> Vec<Mistake> {
        let table = DeTable::parse(text)
            .map(|table| table.into_inner())
            .unwrap_or_default();
        let placed = |(path, message): (Path_, String)| Mistake {
            at: span(&table, &path),
            message,
        };
        self.0.into_iter().map(placed).collect()
    }

    fn of_programs(&mut self, file: &File, folder: &Path) {
        let checks = file.check.iter().map(|check| &check.command);
        let steps = file.step.iter().map(|step| &step.command);
        let observers = file.observer.iter().map(|observer| &observer.command);
        let found = |command: &Command| program::problem(command, folder);
        let sections = [
            ("check", checks.map(found).collect::<Vec<_>>()),
            ("step", steps.map(found).collect()),
            ("observer", observers.map(found).collect()),
        ];
        for (section, problems) in sections {
            for (index, problem) in problems.into_iter().enumerate() {
                if let Some(message) = problem {
                    self.add(section, index, &[Part::Key("command")], message);
                }
            }
        }
    }

    fn add(&mut self, section: &'static str, index: usize, rest: &[Part], message: String) {
        let mut path = vec![Part::Key(section), Part::Index(index)];
        path.extend_from_slice(rest);
        self.0.push((path, message));
    }

    fn of_checks(&mut self, file: &File, registry: &Registry) {
        let cluster = registry.cluster_checks().iter().map(|c| c.descriptor().name);
        let database = registry.database_checks().iter().map(|c| c.descriptor().name);
        let mut taken: BTreeSet<String> = cluster.chain(database).map(str::to_owned).collect();
        for (index, check) in file.check.iter().enumerate() {
            self.of_name("check", index, &check.name, &mut taken);
            self.of_command("check", index, &check.command.0);
        }
    }

    fn of_steps(&mut self, file: &File, registry: &Registry) {
        let mut taken: BTreeSet<String> = registry.steps().map(|step| step.name.to_owned()).collect();
        let known: BTreeSet<String> = taken
            .iter()
            .chain(file.step.iter().map(|step| &step.name))
            .cloned()
            .collect();
        for (index, step) in file.step.iter().enumerate() {
            self.of_name("step", index, &step.name, &mut taken);
            self.of_command("step", index, &step.command.0);
            for (key, names) in [("after", &step.after), ("before", &step.before)] {
                let unknown = names
                    .iter()
                    .enumerate()
                    .filter(|(_, name)| !known.contains(*name));
                for (number, name) in unknown {
                    let message = unknown_name("step", name, known.iter().map(String::as_str));
                    self.add("step", index, &[Part::Key(key), Part::Index(number)], message);
                }
            }
            if step.methods.is_empty() {
                let message = "a step needs a method".to_owned();
                self.add("step", index, &[Part::Key("methods")], message);
            }
        }
    }

    fn of_observers(&mut self, file: &File) {
        let mut taken = BTreeSet::new();
        let kinds: Vec<&'static str> = (MigrationEventKind::iter().map(Into::into))
            .chain(DatabaseEventKind::iter().map(Into::into))
            .chain(StepEventKind::iter().map(Into::into))
            .collect();
        for (index, observer) in file.observer.iter().enumerate() {
            self.of_name("observer", index, &observer.name, &mut taken);
            self.of_command("observer", index, &observer.command.0);
            for (number, kind) in observer.kinds.iter().enumerate() {
                if !kinds.contains(&kind.as_str()) {
                    let message = unknown_name("kind of event", kind, kinds.iter().copied());
                    self.add(
                        "observer",
                        index,
                        &[Part::Key("kinds"), Part::Index(number)],
                        message,
                    );
                }
            }
        }
    }

    fn of_name(&mut self, section: &'static str, index: usize, name: &str, taken: &mut BTreeSet<String>) {
        let message = if !is_name(name) {
            format!(
                "{name:?} is no name: it has up to 40 lower-case letters, digits and single hyphens, the first a letter"
            )
        } else if !taken.insert(name.to_owned()) {
            format!("there is a {section} {name:?} already")
        } else {
            return;
        };
        self.add(section, index, &[Part::Key("name")], message);
    }

    fn of_command(&mut self, section: &'static str, index: usize, words: &[String]) {
        if words.first().is_none_or(String::is_empty) {
            let message = "the command names no program".to_owned();
            self.add(section, index, &[Part::Key("command")], message);
        }
    }
}

fn unknown_name<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> String {
    match alike(name, known) {
        Some(meant) => format!("there is no {what} {name:?}; did you mean {meant:?}?"),
        None => format!("there is no {what} {name:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{File, parse};
    use pghaul_step::Registry;

    fn mistakes(text: &str) -> Vec<String> {
        let registry = pghaul_steps::builtin(Registry::new());
        let found = parse(text, &registry).expect_err(text);
        let named = found.iter().map(|mistake| {
            let (line, column) = mistake.place(text);
            format!("{line}:{column}: {}", mistake.message)
        });
        named.collect()
    }

    #[test]
    fn mistakes_are_named_with_their_place_and_what_was_meant() {
        let cases = [
            (
                "[[check]]\nname = \"a\"\ncomand = [\"./a\"]\n",
                "3:1: unknown field `comand`, expected one of `name`, `summary`, `scope`, `command`, `timeout`, `on_failure`, \
                 `environment`; did you mean `command`?",
            ),
            (
                "[[chekc]]\nname = \"a\"\n",
                "1:3: unknown field `chekc`, expected one of `sql_checks`, `check`, `step`, `observer`; did you mean `check`?",
            ),
            ("[[check]]\nname = \"a\"\n", "1:1: missing field `command`"),
            (
                "[[check]]\nname = \"a\"\ncommand = [\"./a\"]\nscope = \"databse\"\n",
                "4:9: unknown variant `databse`, expected `cluster` or `database`; did you mean `database`?",
            ),
            (
                "[[check]]\nname = \"a\"\ncommand = \"./a\"\n",
                "3:11: \"./a\" is no list: write it as [\"./a\"]",
            ),
            (
                "[[check]]\nname = \"a\"\ncommand = [\"./a\"]\ntimeout = \"soon\"\n",
                "4:11: \"soon\" is no length of time; write it as 30s, 5min or 2h",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(mistakes(text), [expected], "{text}");
        }
    }

    #[test]
    fn every_mistake_of_the_whole_is_named() {
        let text = "\
[[check]]
name = \"Wrong\"
command = []

[[step]]
name = \"schema\"
command = [\"./a\"]
after = [\"post-data\", \"post-dat\"]

[[observer]]
name = \"o\"
command = [\"./a\"]
kinds = [\"failled\"]
";
        let expected = [
            "2:8: \"Wrong\" is no name: it has up to 40 lower-case letters, digits and single hyphens, the first a letter",
            "3:11: the command names no program",
            "6:8: there is a step \"schema\" already",
            "8:23: there is no step \"post-dat\"; did you mean \"post-data\"?",
            "13:10: there is no kind of event \"failled\"; did you mean \"failed\"?",
        ];
        assert_eq!(mistakes(text), expected);
    }

    #[test]
    fn the_example_is_a_configuration() {
        let registry = pghaul_steps::builtin(Registry::new());
        let example = super::super::example().unwrap();
        let file: File = parse(&example, &registry)
            .map_err(|_| mistakes(&example))
            .unwrap();
        assert_eq!(
            (file.check.len(), file.step.len(), file.observer.len()),
            (1, 1, 1)
        );
        // What is commented out is right too.
        let whole: Vec<&str> = example
            .lines()
            .map(|line| line.strip_prefix("#: ").unwrap_or(line))
            .collect();
        let whole = whole.join("\n");
        parse(&whole, &registry).map_err(|_| mistakes(&whole)).unwrap();
    }
}
