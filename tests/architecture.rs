//! What must stay true of the workspace as a whole: the arrows between packages, the length of files, the links
//! of the documentation. `docs/explanation/architecture.md` explains the arrows.

#![expect(clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package, PackageId};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use std::sync::OnceLock;

#[path = "architecture/circles.rs"]
mod circles;
#[path = "architecture/proofs.rs"]
mod proofs;
#[path = "architecture/queries.rs"]
mod queries;

/// A file that is longer asks to be split.
const LINES: usize = 500;

/// What a reader of the repository has no use for: places outside of it. Split, so that this file passes.
const FORBIDDEN: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("../sha", "red"),
    concat!("/ro", "ot/"),
];

/// What the pure core must never reach, not even through others.
const IMPURE: &[&str] = &["tokio", "tokio-postgres", "rusqlite", "clap"];

/// Packages that nothing depends on, and whose tests may use everything.
const ABOVE_ALL: &[&str] = &["pghaul-tests", "pghaul-examples"];

/// What the tests of every package may use besides.
const FOR_TESTS: &[&str] = &["pghaul-testkit", "pghaul-core"];

/// What the tests of the built-in checks use besides, to make them as a run does.
const SURVEYS: &str = "pghaul-engine";

/// The packages that a package may depend on. Steps are everything in `steps` but the list of them.
fn allowed(from: &Package) -> &'static [&'static str] {
    match from.name.as_str() {
        "pghaul" => &[
            "pghaul-store",
            "pghaul-steps",
            "pghaul-external",
            "pghaul-engine",
            "pghaul-step",
            "pghaul-postgres",
            "pghaul-core",
        ],
        "pghaul-steps" => &["pghaul-step", CONTRACTS, STEPS],
        "pghaul-engine" => &["pghaul-step", "pghaul-postgres", "pghaul-core"],
        "pghaul-step" | "pghaul-copy" => &["pghaul-postgres", "pghaul-core"],
        "pghaul-postgres" | "pghaul-store" => &["pghaul-core"],
        "pghaul-core" | "pghaul-testkit" | "pghaul-tests" | "pghaul-examples" => &[],
        CONTRACTS => &["pghaul-step"],
        _ if is_step(from) => &["pghaul-step", "pghaul-copy", CONTRACTS],
        other => panic!("{other} is new: say in this test what it may depend on"),
    }
}

/// Stands for every step.
const STEPS: &str = "steps/*";

/// What the steps leave for each other.
const CONTRACTS: &str = "pghaul-contracts";

fn is_step(package: &Package) -> bool {
    let within = package
        .manifest_path
        .as_std_path()
        .strip_prefix(root())
        .expect("a package of the workspace");
    within.starts_with("steps") && !["pghaul-steps", CONTRACTS].contains(&package.name.as_str())
}

#[test]
fn packages_depend_only_on_what_is_below_them() {
    let packages: BTreeMap<&str, &Package> = metadata()
        .workspace_packages()
        .into_iter()
        .map(|p| (p.name.as_str(), p))
        .collect();
    let mut wrong = Vec::new();
    for from in packages.values() {
        for dependency in &from.dependencies {
            let Some(to) = packages.get(dependency.name.as_str()) else {
                continue;
            };
            let for_tests = dependency.kind == DependencyKind::Development
                && (from.name == to.name
                    || (from.name == "pghaul-steps" && to.name == SURVEYS)
                    || FOR_TESTS.contains(&to.name.as_str())
                    || ABOVE_ALL.contains(&from.name.as_str()));
            let known = allowed(from);
            let fits = known.contains(&to.name.as_str()) || (known.contains(&STEPS) && is_step(to));
            if !fits && !for_tests {
                wrong.push(format!("{} → {}", from.name, to.name));
            }
        }
    }
    assert!(wrong.is_empty(), "arrows that must not be: {wrong:?}");
}

#[test]
fn no_package_in_core_imports_from_steps() {
    let packages = metadata().workspace_packages();
    let within = |package: &Package, folder: &str| {
        let manifest = package.manifest_path.as_std_path();
        manifest.starts_with(root().join(folder))
    };
    let plugins: BTreeSet<&str> = packages
        .iter()
        .filter(|package| within(package, "steps"))
        .map(|package| package.name.as_str())
        .collect();
    let core: Vec<_> = packages
        .iter()
        .filter(|package| within(package, "core"))
        .collect();
    assert!(
        plugins.contains(CONTRACTS) && core.len() > 3,
        "the folders are others"
    );
    // Tests of core may not either: their plug-ins are toys.
    let wrong: Vec<String> = core
        .iter()
        .flat_map(|package| package.dependencies.iter().map(move |on| (package, on)))
        .filter(|(_, on)| plugins.contains(on.name.as_str()))
        .map(|(package, on)| format!("{} → {}", package.name, on.name))
        .collect();
    assert!(wrong.is_empty(), "core must not know any plug-in: {wrong:?}");
}

/// The names of steps stand in the contract of each, once. Names that are words of other things too count where a step is
/// meant.
#[test]
fn no_step_is_named_outside_of_its_contract() {
    let names = step_names();
    assert!(
        names.len() >= 20,
        "the contracts are written in another way: {names:?}"
    );
    let mut found = Vec::new();
    for file in files("rs").filter(|file| is_production(file)) {
        if file.starts_with("steps/contracts") {
            continue;
        }
        let text = text(&file);
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let orders_steps = code.contains("Descriptor {") && code.contains("StepPhase");
        for (number, line) in code.lines().enumerate() {
            let names_a_step = |name: &String| {
                let quoted = format!("\"{name}\"");
                let only_a_step = name.contains('-') || ["matviews", "constraints"].contains(&name.as_str());
                let meant = [
                    "StepName::new(",
                    "StepName::from(",
                    "ctx.output",
                    "items_of",
                    "has_finished(",
                ]
                .iter()
                .any(|call| line.contains(&format!("{call}{quoted}")))
                    || (orders_steps
                        && ["after:", "beside:", "holds_for:"]
                            .iter()
                            .any(|key| line.contains(key)));
                line.contains(&quoted) && (only_a_step || meant)
            };
            found.extend(
                names
                    .iter()
                    .filter(|name| names_a_step(name))
                    .map(|name| format!("{}:{}: {name}", file.display(), number + 1)),
            );
        }
    }
    assert!(found.is_empty(), "use the contract's STEP:\n{}", found.join("\n"));
}

/// The names in the package of contracts.
fn step_names() -> Vec<String> {
    files("rs")
        .filter(|file| file.starts_with("steps/contracts"))
        .flat_map(|file| {
            let text = text(&file);
            let constants = text
                .lines()
                .filter(|line| line.contains("const STEP: ") || line.contains("const REST: "));
            let names = constants.filter_map(|line| line.split('"').nth(1).map(str::to_owned));
            names.collect::<Vec<_>>()
        })
        .collect()
}

/// Whether a source file is part of what is shipped.
fn is_production(file: &Path) -> bool {
    let folders = ["core", "steps", "store", "cli"];
    let is_test = file.components().any(|part| {
        ["tests", "tests.rs", "benches"]
            .iter()
            .any(|name| part.as_os_str() == *name)
    });
    folders.iter().any(|folder| file.starts_with(folder)) && !is_test
}

#[test]
fn the_core_is_pure() {
    let graph = metadata().resolve.as_ref().expect("cargo resolves the workspace");
    let nodes: BTreeMap<&PackageId, _> = graph.nodes.iter().map(|node| (&node.id, node)).collect();
    let core = metadata()
        .workspace_packages()
        .into_iter()
        .find(|p| p.name.as_str() == "pghaul-core");
    let mut waiting = vec![&core.expect("the workspace has a core").id];
    let mut reached = BTreeSet::new();
    while let Some(package) = waiting.pop() {
        if reached.insert(package) {
            let normal = nodes
                .get(package)
                .into_iter()
                .flat_map(|node| &node.deps)
                .filter(|dependency| {
                    dependency
                        .dep_kinds
                        .iter()
                        .any(|info| info.kind == DependencyKind::Normal)
                });
            waiting.extend(normal.map(|dependency| &dependency.pkg));
        }
    }
    let names: BTreeSet<&str> = reached.iter().map(|id| metadata()[*id].name.as_str()).collect();
    assert!(
        names.contains("serde"),
        "the walk has not gone anywhere: {names:?}"
    );
    let impure: Vec<_> = IMPURE.iter().filter(|name| names.contains(*name)).collect();
    assert!(impure.is_empty(), "pghaul-core depends on {impure:?}");
}

#[test]
fn no_source_file_is_too_long() {
    let folders = ["core", "steps", "store", "cli", "tests"];
    let sources = files("rs").filter(|file| folders.iter().any(|folder| file.starts_with(folder)));
    let long: Vec<String> = sources
        .map(|file| (text(&file).lines().count(), file))
        .filter(|(lines, _)| *lines > LINES)
        .map(|(lines, file)| format!("{} has {lines} lines", file.display()))
        .collect();
    assert!(
        long.is_empty(),
        "split what is longer than {LINES} lines: {long:?}"
    );
}

#[test]
fn no_file_speaks_of_places_outside_the_repository() {
    let kinds = ["md", "rs", "toml", "sql", "sh", "snap", "svg", "yml", "json"];
    let mut found = Vec::new();
    let extra = [PathBuf::from(".ci/run"), PathBuf::from(".gitignore")];
    for file in kinds.iter().flat_map(|kind| files(kind)).chain(extra) {
        let text = text(&file);
        found.extend(
            FORBIDDEN
                .iter()
                .filter(|word| text.contains(**word))
                .map(|word| format!("{}: {word}", file.display())),
        );
    }
    assert!(found.is_empty(), "{found:?}");
}

/// A server converts every statement into the encoding of its database, comments included, and refuses the whole
/// statement where a character is lacking there.
#[test]
fn statements_have_only_characters_of_every_encoding() {
    let wrong: Vec<String> = files("sql")
        .filter(|file| is_production(file) && !text(file).is_ascii())
        .map(|file| file.display().to_string())
        .collect();
    assert_eq!(wrong, [""; 0], "not ASCII");
}

#[test]
fn links_of_the_documentation_lead_somewhere() {
    let mut broken = Vec::new();
    for page in files("md") {
        for link in links(&text(&page)) {
            if !leads_somewhere(&page, &link) {
                broken.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(
        broken.is_empty(),
        "links that lead nowhere:\n{}",
        broken.join("\n")
    );
}

#[test]
fn every_page_can_be_reached_from_the_readme() {
    let mut waiting = vec![PathBuf::from("README.md")];
    let mut reached = BTreeSet::new();
    while let Some(page) = waiting.pop() {
        if page.extension().is_some_and(|kind| kind == "md") && reached.insert(page.clone()) {
            let folder = page.parent().unwrap_or(Path::new(""));
            let links = links(&text(&page));
            let paths = links
                .iter()
                .map(|link| link.split('#').next().unwrap_or_default());
            waiting.extend(
                paths
                    .map(|path| flat(&folder.join(path)))
                    .filter(|file| root().join(file).is_file()),
            );
        }
    }
    let lost: Vec<PathBuf> = files("md")
        .filter(|page| page.starts_with("docs") && !reached.contains(page))
        .collect();
    assert!(lost.is_empty(), "nothing leads to {lost:?}");
}

/// Whether a link's file exists, and has the heading that the link names.
fn leads_somewhere(page: &Path, link: &str) -> bool {
    if link.contains("://") || link.starts_with("mailto:") {
        return true;
    }
    let (path, heading) = link.split_once('#').unwrap_or((link, ""));
    let folder = page.parent().unwrap_or(Path::new(""));
    let file = if path.is_empty() {
        page.to_owned()
    } else {
        flat(&folder.join(path))
    };
    if !root().join(&file).exists() {
        return false;
    }
    heading.is_empty()
        || file.extension().is_none_or(|kind| kind != "md")
        || anchors(&text(&file)).contains(heading)
}

/// The path without `..`, without asking the file system.
fn flat(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut flat, component| {
        match component {
            Component::ParentDir => {
                flat.pop();
            }
            Component::CurDir => {}
            other => flat.push(other),
        }
        flat
    })
}

/// The targets of a page's links and images, outside of code.
fn links(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in prose(page) {
        let without_code: String = line.split('`').step_by(2).collect();
        let mut rest = without_code.as_str();
        while let Some((_, after)) = rest.split_once("](") {
            let end = after.find([')', ' ']).unwrap_or(after.len());
            let (link, tail) = after.split_at(end);
            found.push(link.to_owned());
            rest = tail;
        }
        found.extend(
            line.split("src=\"")
                .skip(1)
                .filter_map(|s| s.split_once('"'))
                .map(|(link, _)| link.to_owned()),
        );
    }
    found
}

/// The anchors of a page's headings, as GitHub makes them.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = prose(page).into_iter().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| -> String {
        let kept = heading
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.collect::<String>().to_lowercase().replace(' ', "-")
    };
    let explicit = prose(page)
        .into_iter()
        .flat_map(|line| line.split("<a id=\"").skip(1))
        .filter_map(|s| s.split('"').next());
    headings
        .map(|line| anchor(line.trim_start_matches('#').trim()))
        .chain(explicit.map(str::to_owned))
        .collect()
}

/// The lines that are no code blocks.
fn prose(page: &str) -> Vec<&str> {
    let mut in_code = false;
    let mut lines = Vec::new();
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        } else if !in_code {
            lines.push(line);
        }
    }
    lines
}

/// Files of the repository with this extension, relative to its root.
fn files(extension: &str) -> impl Iterator<Item = PathBuf> + use<'_> {
    static ALL: OnceLock<Vec<PathBuf>> = OnceLock::new();
    let all = ALL.get_or_init(|| {
        let mut found = Vec::new();
        collect(root(), &mut found);
        found.sort();
        found
    });
    all.iter()
        .filter(move |file| file.extension().is_some_and(|e| e == extension))
        .cloned()
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder)
        .expect("a folder that can be read")
        .flatten()
    {
        let path = entry.path();
        // Hidden folders hold no sources; the target folder may have been given another name.
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        if path.is_dir() && !hidden && !path.join("CACHEDIR.TAG").exists() {
            collect(&path, found);
        } else if path.is_file() {
            found.push(path.strip_prefix(root()).expect("below the root").to_owned());
        }
    }
}

fn text(file: &Path) -> String {
    std::fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests is a folder of the repository")
}

/// A build downloads what this platform needs; this may download the rest, which is in the lock file too.
fn metadata() -> &'static Metadata {
    static METADATA: OnceLock<Metadata> = OnceLock::new();
    METADATA.get_or_init(|| {
        let mut command = MetadataCommand::new();
        command
            .manifest_path(root().join("Cargo.toml"))
            .other_options(["--locked".to_owned()]);
        command.exec().expect("cargo metadata")
    })
}
