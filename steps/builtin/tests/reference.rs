//! Keeps `docs/reference/checks.md` true, and every check documented. `UPDATE_DOCS=1` writes the lists.

use pghaul_step::{CheckDescriptor, Registry};
use std::path::PathBuf;

fn docs(page: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs")
        .join(page)
}

/// The checks of the servers, and those of each database, in the order of `pghaul steps`.
fn checks() -> [Vec<CheckDescriptor>; 2] {
    let registry = pghaul_steps::builtin(Registry::new());
    let of_cluster = registry.cluster_checks().iter();
    let of_databases = registry.database_checks().iter();
    [
        of_cluster.map(|check| check.descriptor()).collect(),
        of_databases.map(|check| check.descriptor()).collect(),
    ]
}

#[test]
fn every_check_is_listed() {
    let page = docs("reference/checks.md");
    let mut text = std::fs::read_to_string(&page).unwrap();
    let found = text.clone();
    for (list, checks) in ["checks of the servers", "checks of each database"]
        .iter()
        .zip(checks())
    {
        let begin = format!("<!-- generated: {list} -->\n");
        let end = format!("<!-- end: {list} -->");
        let (head, rest) = text.split_once(&begin).unwrap();
        let (_, tail) = rest.split_once(&end).unwrap();
        let rows: String = checks
            .iter()
            .map(|check| format!("| [{0}](../checks/{0}.md) | {1} |\n", check.name, check.summary))
            .collect();
        text = format!("{head}{begin}| check | expects that |\n|---|---|\n{rows}{end}{tail}");
    }
    if text != found {
        assert!(
            std::env::var_os("UPDATE_DOCS").is_some(),
            "docs/reference/checks.md is stale: UPDATE_DOCS=1 writes it"
        );
        std::fs::write(&page, text).unwrap();
    }
}

#[test]
fn every_check_has_its_page() {
    for check in checks().iter().flatten() {
        let page = docs(&format!("checks/{}.md", check.name));
        let text =
            std::fs::read_to_string(&page).unwrap_or_else(|error| panic!("{}: {error}", page.display()));
        let title = format!("# Check `{}`\n", check.name);
        assert!(text.starts_with(&title), "{}", page.display());
    }
}
