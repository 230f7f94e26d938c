//! Applies patterns to the objects of a database.

use super::{
    DependencyKind, Graph, InvalidPattern, ObjectKind, ObjectSelection, Pattern, ProviderObjects, Rule,
    SelectedObjects,
};
use crate::id::DatabaseName;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

/// Why an object is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Why {
    /// A pattern excludes it.
    Excluded(Rule, String),
    /// It belongs to the provider.
    OfProvider(String),
    /// Patterns name what is moved, and it is not needed.
    NotNamed,
    /// It needs that object, which is left out.
    Needs(usize),
    /// It is a foreign key to that table, which is moved without its rows.
    WithoutRows(usize),
}

/// A pattern that would take a partition out of its tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{rule} {pattern} matches the partition {partition} and not {root}, the root of its partition tree")]
pub struct BrokenTree {
    /// The pattern's option.
    pub rule: Rule,
    /// The pattern.
    pub pattern: String,
    /// The partition.
    pub partition: String,
    /// The root.
    pub root: String,
}

/// What can't be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unresolvable {
    /// A pattern can't be read.
    #[error(transparent)]
    Pattern(#[from] InvalidPattern),
    /// A pattern would take a partition out of its tree.
    #[error(transparent)]
    Tree(#[from] BrokenTree),
}

/// Finds out which objects of a database are moved.
///
/// # Errors
/// A pattern that can't be read, or that would take a partition out of its tree.
pub fn resolve(
    graph: &Graph,
    selection: &ObjectSelection,
    provider: Option<&ProviderObjects>,
    database: &DatabaseName,
) -> Result<SelectedObjects, Unresolvable> {
    let patterns: Vec<(Rule, Pattern)> = selection.parsed()?;
    let concerned = patterns
        .into_iter()
        .filter(|(_, pattern)| pattern.concerns(database.as_str()));
    let mut resolution = Resolution {
        graph,
        matched: BTreeMap::new(),
        unmatched: Vec::new(),
        out: HashMap::new(),
        without_rows: HashSet::new(),
        brought: HashMap::new(),
    };
    for (rule, pattern) in concerned {
        resolution.apply(rule, &pattern)?;
    }
    resolution.find_tables_without_rows();
    let includes =
        resolution.matched.contains_key(&Rule::Table) || resolution.matched.contains_key(&Rule::Schema);
    resolution.leave_out_excluded();
    if includes {
        resolution.leave_out_what_is_not_named();
    } else if let Some(provider) = provider {
        resolution.leave_out_what_is_of(provider);
    }
    Ok(SelectedObjects::of(resolution))
}

/// A resolution under way. Objects are named by their places in the graph.
pub(super) struct Resolution<'a> {
    pub(super) graph: &'a Graph,
    /// What the patterns of each rule match, with the pattern. A rule of which no pattern concerns the database is absent.
    pub(super) matched: BTreeMap<Rule, BTreeMap<usize, String>>,
    /// Patterns that match nothing.
    pub(super) unmatched: Vec<(Rule, String)>,
    pub(super) out: HashMap<usize, Why>,
    pub(super) without_rows: HashSet<usize>,
    /// What comes along although no pattern names it, and what needs it.
    pub(super) brought: HashMap<usize, usize>,
}

/// Whether a table needs those that its foreign keys reference.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ForeignKeys {
    Need,
    Ignore,
}

impl Resolution<'_> {
    fn apply(&mut self, rule: Rule, pattern: &Pattern) -> Result<(), BrokenTree> {
        let found: Vec<usize> = (0..self.graph.objects().len())
            .filter(|place| self.is_match(rule, pattern, *place))
            .collect();
        if found.is_empty() && rule != Rule::ExcludeRole {
            self.unmatched.push((rule, pattern.to_string()));
        }
        let matched = self.matched.entry(rule).or_default();
        for place in &found {
            matched.entry(*place).or_insert_with(|| pattern.to_string());
        }
        if matches!(rule, Rule::ExcludeTable | Rule::SchemaOnlyTable) {
            for place in found {
                let root = self.graph.root(place);
                if root != place && !self.is_match(rule, pattern, root) {
                    return Err(BrokenTree {
                        rule,
                        pattern: pattern.to_string(),
                        partition: self.label(place),
                        root: self.label(root),
                    });
                }
            }
        }
        Ok(())
    }

    fn is_match(&self, rule: Rule, pattern: &Pattern, place: usize) -> bool {
        let Some(object) = self.graph.object(place) else {
            return false;
        };
        // A sequence goes where its table goes.
        if !rule.can_match(object.kind) || rule == Rule::ExcludeTable && self.graph.is_owned_sequence(place) {
            return false;
        }
        match &object.schema {
            Some(schema) => pattern.matches(schema, &object.name),
            None => pattern.matches_name(&object.name),
        }
    }

    pub(super) fn label(&self, place: usize) -> String {
        self.graph
            .object(place)
            .map(|object| object.label.clone())
            .unwrap_or_default()
    }

    pub(super) fn matches_of(&self, rule: Rule) -> impl Iterator<Item = (usize, &String)> {
        let matched = self.matched.get(&rule).into_iter().flatten();
        matched.map(|(place, pattern)| (*place, pattern))
    }

    /// Everything in a schema, and the schema itself.
    fn of_schema(&self, schema: usize) -> Vec<usize> {
        let name = self.graph.object(schema).map(|object| object.name.as_str());
        let within = |place: &usize| {
            *place == schema
                || self
                    .graph
                    .object(*place)
                    .is_some_and(|object| object.schema.as_deref() == name)
        };
        (0..self.graph.objects().len()).filter(within).collect()
    }

    /// Tables that are moved without rows, with all partitions of a tree.
    fn find_tables_without_rows(&mut self) {
        let mut open: Vec<usize> = self.matches_of(Rule::SchemaOnlyTable).map(|m| m.0).collect();
        while let Some(place) = open.pop() {
            if self.without_rows.insert(place) {
                let partitions = self.graph.dependents(place).iter().map(|edge| edge.to);
                open.extend(partitions.filter(|to| self.graph.parent(*to) == Some(place)));
            }
        }
    }

    fn leave_out_excluded(&mut self) {
        let mut excluded: Vec<(usize, Why)> = Vec::new();
        for rule in [
            Rule::ExcludeTable,
            Rule::ExcludeSchema,
            Rule::ExcludeExtension,
            Rule::ExcludeEventTrigger,
        ] {
            for (place, pattern) in self.matches_of(rule) {
                let why = Why::Excluded(rule, pattern.clone());
                match rule {
                    Rule::ExcludeSchema => excluded.extend(
                        self.of_schema(place)
                            .into_iter()
                            .filter(|place| !self.graph.is_owned_sequence(*place))
                            .map(|place| (place, why.clone())),
                    ),
                    _ => excluded.push((place, why)),
                }
            }
        }
        for (place, object) in self.graph.objects().iter().enumerate() {
            if object.kind == ObjectKind::ForeignKey
                && let Some(referenced) = self.references_table_without_rows(place)
            {
                excluded.push((place, Why::WithoutRows(referenced)));
            }
        }
        self.leave_out(excluded);
    }

    fn references_table_without_rows(&self, key: usize) -> Option<usize> {
        let needs = || self.graph.needs(key).iter();
        let owner = needs().find(|edge| edge.kind.is_of_part() && self.graph.kind(edge.to).is_table())?;
        if self.without_rows.contains(&owner.to) {
            return None;
        }
        needs()
            .map(|edge| edge.to)
            .find(|to| self.without_rows.contains(to))
    }

    /// Leaves objects out, with everything that needs them.
    fn leave_out(&mut self, objects: Vec<(usize, Why)>) {
        let mut open: VecDeque<usize> = VecDeque::new();
        for (place, why) in objects {
            if let Entry::Vacant(entry) = self.out.entry(place) {
                entry.insert(why);
                open.push_back(place);
            }
        }
        while let Some(place) = open.pop_front() {
            let why = Why::Needs(self.cause(place));
            let dependents = self.graph.dependents(place).iter();
            let dependents = dependents
                .filter(|edge| edge.kind != DependencyKind::AutoMember)
                .map(|edge| edge.to);
            let is_inline = self.graph.kind(place) == ObjectKind::Inline;
            let wholes = self.graph.needs(place).iter().filter(|edge| {
                // An object can't be created without its parts.
                edge.kind == DependencyKind::Internal || is_inline && edge.kind == DependencyKind::Auto
            });
            for next in dependents.chain(wholes.map(|edge| edge.to)).collect::<Vec<_>>() {
                if let Entry::Vacant(entry) = self.out.entry(next) {
                    entry.insert(why.clone());
                    open.push_back(next);
                }
            }
        }
    }

    /// The object that began it: one that is left out for a reason of its own.
    fn cause(&self, place: usize) -> usize {
        match self.out.get(&place) {
            Some(Why::Needs(cause)) => *cause,
            _ => place,
        }
    }

    fn leave_out_what_is_not_named(&mut self) {
        let tables = self.matches_of(Rule::Table).map(|m| m.0);
        let schemas = self.matches_of(Rule::Schema);
        let seeds: Vec<usize> = tables
            .chain(schemas.flat_map(|(schema, _)| self.of_schema(schema)))
            .filter(|place| !matches!(self.out.get(place), Some(Why::Excluded(..))))
            .collect();
        let named: HashSet<usize> = seeds.iter().copied().collect();
        let mut wanted = self.closure(seeds, ForeignKeys::Ignore);
        self.add_keys_and_conversions(&mut wanted);
        let mut keys = Vec::new();
        for (place, object) in self.graph.objects().iter().enumerate() {
            if wanted.contains_key(&place) || self.out.contains_key(&place) {
                continue;
            }
            let of_wanted = |place: usize| wanted.contains_key(&place) && !self.out.contains_key(&place);
            let mut needs = self.graph.needs(place).iter();
            if object.kind == ObjectKind::ForeignKey
                && needs
                    .clone()
                    .any(|edge| edge.kind.is_of_part() && of_wanted(edge.to))
                && let Some(missing) = needs
                    .find(|edge| self.graph.kind(edge.to).is_relation() && !wanted.contains_key(&edge.to))
            {
                keys.push((place, Why::Needs(missing.to)));
            }
        }
        self.leave_out(keys);
        for place in 0..self.graph.objects().len() {
            if !wanted.contains_key(&place) {
                self.out.entry(place).or_insert(Why::NotNamed);
            }
        }
        let brought = wanted.into_iter().filter(|(place, _)| !named.contains(place));
        self.brought = brought.collect();
    }

    /// What objects consist of and need, each with what it was reached from.
    fn closure(&self, seeds: Vec<usize>, foreign_keys: ForeignKeys) -> HashMap<usize, usize> {
        let mut found: HashMap<usize, usize> = HashMap::new();
        let mut open: VecDeque<(usize, usize)> = seeds.into_iter().map(|place| (place, place)).collect();
        while let Some((place, from)) = open.pop_front() {
            let is_excluded = matches!(self.out.get(&place), Some(Why::Excluded(..)));
            if is_excluded || found.contains_key(&place) {
                continue;
            }
            found.insert(place, from);
            let needs = self.graph.needs(place).iter();
            let needs = needs.filter(|edge| edge.kind != DependencyKind::AutoMember);
            let parts = self.graph.dependents(place).iter().filter(|edge| {
                let comes_along = match self.graph.kind(edge.to) {
                    ObjectKind::Published | ObjectKind::EventTrigger => false,
                    ObjectKind::ForeignKey => foreign_keys == ForeignKeys::Need,
                    _ => true,
                };
                comes_along && (edge.kind.is_of_part() || edge.kind == DependencyKind::Member)
            });
            open.extend(needs.chain(parts).map(|edge| (edge.to, place)));
        }
        found
    }

    /// Adds foreign keys between wanted tables, and casts and transforms between wanted types.
    fn add_keys_and_conversions(&self, wanted: &mut HashMap<usize, usize>) {
        let candidates: Vec<usize> = (0..self.graph.objects().len())
            .filter(|place| {
                let kind = self.graph.kind(*place);
                matches!(kind, ObjectKind::ForeignKey | ObjectKind::Conversion) && !wanted.contains_key(place)
            })
            .filter(|place| {
                let needs = self.graph.needs(*place);
                !needs.is_empty() && needs.iter().all(|edge| wanted.contains_key(&edge.to))
            })
            .collect();
        for place in candidates {
            wanted.extend(self.closure(vec![place], ForeignKeys::Ignore));
        }
    }

    /// Leaves out what belongs to the provider and is needed by nothing else. A foreign key needs its table here: no row
    /// that users' rows refer to stays behind.
    fn leave_out_what_is_of(&mut self, provider: &ProviderObjects) {
        let own = self.objects_of(provider);
        let others = (0..self.graph.objects().len())
            .filter(|place| !own.contains(place) && !self.out.contains_key(place));
        let needed = self.closure(others.collect(), ForeignKeys::Need);
        let unneeded = own.iter().filter(|place| !needed.contains_key(place));
        let unneeded = unneeded.map(|place| (*place, Why::OfProvider(provider.title.clone())));
        let mut unneeded: Vec<(usize, Why)> = unneeded.collect();
        unneeded.sort_by_key(|(place, _)| *place);
        self.leave_out(unneeded);
        self.brought = needed
            .into_iter()
            .filter(|(place, _)| own.contains(place))
            .collect();
    }

    /// The provider's objects with their parts.
    fn objects_of(&self, provider: &ProviderObjects) -> HashSet<usize> {
        let mut open: Vec<usize> = Vec::new();
        for (place, object) in self.graph.objects().iter().enumerate() {
            let named = |names: &[String]| names.contains(&object.name);
            let in_schema = object
                .schema
                .as_ref()
                .is_some_and(|s| provider.schemas.contains(s));
            let is_own = in_schema
                || match object.kind {
                    ObjectKind::Schema => named(&provider.schemas),
                    ObjectKind::Extension => named(&provider.extensions),
                    ObjectKind::EventTrigger => named(&provider.event_triggers),
                    ObjectKind::Publication => named(&provider.publications),
                    _ => false,
                };
            if is_own {
                open.push(place);
            }
        }
        let mut own = HashSet::new();
        while let Some(place) = open.pop() {
            if own.insert(place) {
                let parts = self.graph.dependents(place).iter();
                let parts =
                    parts.filter(|edge| edge.kind.is_of_part() || edge.kind == DependencyKind::Member);
                open.extend(parts.map(|edge| edge.to));
            }
        }
        own
    }

    /// Whether an object is a part of something that is left out too.
    pub(super) fn goes_with_another(&self, place: usize) -> bool {
        let mut needs = self.graph.needs(place).iter();
        needs.any(|edge| {
            (edge.kind.is_of_part() || edge.kind == DependencyKind::Member) && self.out.contains_key(&edge.to)
        })
    }
}
