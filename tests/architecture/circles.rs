//! No circles between the modules of a package: whoever reads one need not have read those that use it.

use super::{files, is_production, text};
use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use syn::visit::{self, Visit};

/// Where a module is in its package, such as `["session", "secret"]`.
type Module = Vec<String>;

#[test]
fn the_modules_of_a_package_have_no_circles() {
    let mut packages: BTreeMap<String, BTreeMap<Module, String>> = BTreeMap::new();
    for file in files("rs").filter(|file| is_production(file)) {
        if let Some((package, module)) = place(&file) {
            packages.entry(package).or_default().insert(module, text(&file));
        }
    }
    assert!(packages.len() > 20, "{packages:?}");
    let circles: Vec<String> = packages
        .iter()
        .flat_map(|(package, modules)| {
            circles(modules)
                .into_iter()
                .map(move |circle| format!("{package}: {circle}"))
        })
        .collect();
    assert_eq!(
        circles, [""; 0],
        "move what both sides need into a module of its own"
    );
}

#[test]
fn a_circle_is_found_however_it_is_written() {
    let modules = [
        ("a", "use crate::b::{self, deep::Thing}; fn f(_: super::c::C) {}"),
        (
            "b",
            "fn g() { crate::a::f() } #[cfg(test)] mod tests { use crate::d; }",
        ),
        ("c", "use super::d as other;"),
        (
            "d",
            "// use crate::c;\nuse self::c::Own; mod c { pub struct Own; }",
        ),
    ];
    let modules = modules.map(|(name, text)| (vec![name.to_owned()], text.to_owned()));
    assert_eq!(circles(&BTreeMap::from(modules)), ["a, b"]);
}

/// The package and the module that a file holds; none for programs of their own.
fn place(file: &Path) -> Option<(String, Module)> {
    let (package, module) = file.to_str()?.strip_suffix(".rs")?.split_once("/src/")?;
    let mut module: Module = module.split('/').map(str::to_owned).collect();
    if ["lib", "main", "mod"]
        .iter()
        .any(|name| module.last().is_some_and(|last| last == name))
    {
        module.pop();
    }
    (module.first().is_none_or(|first| first != "bin")).then(|| (package.to_owned(), module))
}

/// Groups of modules that need each other. A module and those within it are one: they may.
fn circles(modules: &BTreeMap<Module, String>) -> Vec<String> {
    let mut graph: DiGraphMap<&Module, ()> = DiGraphMap::new();
    for (module, text) in modules {
        for used in uses(module, text) {
            // The longest name that is a module; what follows is an item of it.
            let used = (0..=used.len())
                .rev()
                .find_map(|n| modules.get_key_value(used.get(..n)?));
            let used = used.map_or(module, |(used, _)| used);
            if !used.starts_with(module) && !module.starts_with(used) {
                graph.add_edge(module, used, ());
            }
        }
    }
    let groups = tarjan_scc(&graph).into_iter().filter(|group| group.len() > 1);
    let mut circles: Vec<String> = groups
        .map(|group| {
            let names: BTreeSet<String> = group.iter().map(|module| module.join("::")).collect();
            names.into_iter().collect::<Vec<_>>().join(", ")
        })
        .collect();
    circles.sort();
    circles
}

/// What a module names of its own package, from the root of it.
fn uses(module: &Module, text: &str) -> Vec<Module> {
    let file = syn::parse_file(text).expect("sources can be parsed");
    let mut names = Names {
        at: module.clone(),
        found: Vec::new(),
    };
    names.visit_file(&file);
    names.found
}

struct Names {
    at: Module,
    found: Vec<Module>,
}

impl Names {
    fn add(&mut self, path: &[String]) {
        let mut absolute = self.at.clone();
        let mut rest = path;
        match rest.first().map(String::as_str) {
            Some("crate") => absolute.clear(),
            Some("self" | "super") => {}
            _ => return,
        }
        while let Some((first, others)) = rest.split_first() {
            match first.as_str() {
                "crate" | "self" => {}
                "super" => drop(absolute.pop()),
                _ => break,
            }
            rest = others;
        }
        absolute.extend_from_slice(rest);
        self.found.push(absolute);
    }

    fn add_tree(&mut self, before: &[String], tree: &syn::UseTree) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            syn::UseTree::Path(path) => self.add_tree(&with(&path.ident), &path.tree),
            syn::UseTree::Name(name) => self.add(&with(&name.ident)),
            syn::UseTree::Rename(name) => self.add(&with(&name.ident)),
            syn::UseTree::Glob(_) => self.add(before),
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.add_tree(before, tree)),
        }
    }
}

impl<'ast> Visit<'ast> for Names {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if item.attrs.iter().any(is_for_tests) {
            return;
        }
        self.at.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.at.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if !item.attrs.iter().any(is_for_tests) {
            self.add_tree(&[], &item.tree);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<String> = path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string())
            .collect();
        self.add(&names);
        visit::visit_path(self, path);
    }
}

fn is_for_tests(attribute: &syn::Attribute) -> bool {
    matches!(&attribute.meta, syn::Meta::List(list) if list.path.is_ident("cfg") && list.tokens.to_string() == "test")
}
