//! Every option of a command that a message or a page of the documentation shows is one that the command takes.

use super::CommandLine;
use clap::{Command, CommandFactory as _};
use std::fs;
use std::path::{Path, PathBuf};

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !["tests", "snapshots", "adr"].contains(&&*name) {
            files(&path, found);
        } else if name.ends_with(".md") || name.ends_with(".rs") && name != "tests.rs" {
            found.push(path);
        }
    }
}

/// The words of each command: between backticks, or on a line of its own.
fn shown<'a>(all: &Command, text: &'a str) -> Vec<Vec<&'a str>> {
    let starts = text.match_indices("pghaul ").map(|(place, _)| place);
    // A sentence may begin in the same way, and a file.
    let names_command = |place: &usize| {
        let next = text[*place..].split_whitespace().nth(1);
        next.is_some_and(|word| all.find_subcommand(word.trim_end_matches('`')).is_some())
    };
    let shown = starts.filter(|place| {
        let before = text[..*place].chars().last();
        matches!(before, None | Some('`' | '\n')) && names_command(place)
    });
    let words = shown.map(|place| {
        let end = text[place..]
            .find(['`', '\n', '"'])
            .map_or(text.len(), |end| place + end);
        let words = text[place..end].split_whitespace().skip(1);
        words
            .take_while(|word| !["|", "#", "&&", ";"].contains(word))
            .collect::<Vec<_>>()
    });
    words.filter(|words| !words.is_empty()).collect()
}

/// Why the program would refuse it.
fn refusal(all: &Command, words: &[&str]) -> Option<String> {
    let mut command = all;
    for word in words {
        if let Some(option) = word.strip_prefix("--") {
            let name = option.split(['=', '[']).next().unwrap_or_default();
            let known = command.get_arguments().any(|a| a.get_long() == Some(name));
            if !known && !["help", "version"].contains(&name) {
                return Some(format!("{} has no --{name}", command.get_name()));
            }
        } else if let Some(found) = command.find_subcommand(word) {
            command = found;
        }
    }
    None
}

#[test]
fn every_command_that_is_shown_is_taken() {
    let mut command = CommandLine::command();
    command.build();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = vec![root.join("README.md")];
    for folder in ["cli/src", "core", "steps", "store", "docs"] {
        files(&root.join(folder), &mut found);
    }
    let mut commands = 0;
    for file in found {
        let text = fs::read_to_string(&file).unwrap();
        // Where a literal or a line of a shell goes on, so does the command.
        let mut joined = String::new();
        for line in text.lines() {
            match line.strip_suffix('\\') {
                Some(begin) => joined.push_str(begin),
                None => joined.extend([line, "\n"]),
            }
        }
        for words in shown(&command, &joined) {
            let refused = refusal(&command, &words);
            assert_eq!(refused, None, "{}: pghaul {}", file.display(), words.join(" "));
            commands += 1;
        }
    }
    assert!(commands > 200, "{commands} were found");
}
