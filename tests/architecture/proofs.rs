//! The page about security names a test for what it claims.

use super::{files, is_production, text};
use std::collections::BTreeSet;
use std::path::Path;

const PAGE: &str = "docs/explanation/security.md";

/// The heading of the table, whose last column has the names of tests.
const TABLE: &str = "## What proves it";

#[test]
fn the_tests_that_the_page_about_security_names_exist() {
    let page = text(Path::new(PAGE));
    let (_, table) = page.split_once(TABLE).expect("the table of tests");
    let rows = table.lines().filter(|line| line.starts_with('|'));
    let tests = rows.filter_map(|row| row.trim_end_matches('|').rsplit_once('|'));
    let named: BTreeSet<&str> = tests
        .flat_map(|(_, tests)| tests.split('`').skip(1).step_by(2))
        .collect();
    assert!(named.len() > 20, "the table is written in another way: {named:?}");
    let code: Vec<String> = files("rs")
        .map(|file| (is_production(&file), text(&file)))
        .map(|(production, code)| match production {
            true => code
                .split_once("#[cfg(test)]")
                .map_or_else(String::new, |(_, tests)| tests.to_owned()),
            false => code,
        })
        .collect();
    let is_there = |test: &str| code.iter().any(|code| code.contains(&format!("fn {test}(")));
    let lost: Vec<_> = named.into_iter().filter(|test| !is_there(test)).collect();
    assert_eq!(lost, [""; 0], "no test has this name");
}
