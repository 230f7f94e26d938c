//! Which objects of a database are moved, and what is left out for which reason.

use super::graph::RELATIONS;
use super::resolve::{Resolution, Why};
use super::{ObjectId, ObjectKind, Rule};
use crate::catalog::{Catalog, ConstraintKind, Relations, TableName};
use crate::drift::Definitions;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashSet};

/// An object that is left out, or comes along, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Listed {
    /// Kind and quoted name: `view public.recent_orders`.
    pub object: String,
    /// The reason, as the end of a sentence.
    pub why: String,
}

impl Listed {
    /// Whether it is a table, partitioned or not.
    pub fn is_table(&self) -> bool {
        self.object.starts_with("table ") && !self.object.starts_with("table constraint ")
    }
}

/// What a selection makes of the objects of a database.
#[derive(Debug, Clone, Default)]
pub struct SelectedObjects {
    out: HashSet<ObjectId>,
    labels: HashSet<String>,
    relations: BTreeSet<TableName>,
    schemas: BTreeSet<String>,
    of_tables: HashSet<(u32, String)>,
    without_rows: HashSet<u32>,
    includes: bool,
    /// What is left out: by a pattern, or because it needs something that is. What belongs to such an object, and what
    /// no pattern names where patterns name what is moved, is not listed.
    pub left_out: Vec<Listed>,
    /// Tables, views and schemas that come along although no pattern names them.
    pub brought: Vec<Listed>,
    /// How many tables no pattern names, where patterns name what is moved.
    pub not_named: u64,
    /// Patterns that match nothing.
    pub unmatched: Vec<(Rule, String)>,
}

impl SelectedObjects {
    pub(super) fn of(resolution: Resolution<'_>) -> Self {
        let mut selected = Self {
            includes: [Rule::Table, Rule::Schema]
                .iter()
                .any(|rule| resolution.matched.contains_key(rule)),
            unmatched: resolution.unmatched.clone(),
            left_out: left_out(&resolution),
            brought: brought(&resolution),
            ..Self::default()
        };
        for (place, object) in resolution.graph.objects().iter().enumerate() {
            if object.id.catalog == RELATIONS && resolution.without_rows.contains(&place) {
                selected.without_rows.insert(object.id.oid);
            }
            let Some(why) = resolution.out.get(&place) else {
                continue;
            };
            selected.out.insert(object.id);
            selected.labels.insert(object.label.clone());
            match (&object.schema, object.kind) {
                (Some(schema), kind) if kind.is_relation() => {
                    let name = TableName::new(schema.as_str(), object.name.as_str());
                    selected.relations.insert(name);
                    let is_root = resolution.graph.parent(place).is_none();
                    let counts = *why == Why::NotNamed && kind.is_table() && is_root;
                    selected.not_named += u64::from(counts);
                }
                (_, ObjectKind::Schema) => drop(selected.schemas.insert(object.name.clone())),
                _ => {}
            }
            if let Some(table) = object.table {
                selected.of_tables.insert((table, object.name.clone()));
            }
        }
        selected
    }

    /// Whether only what patterns name is moved, with what that needs.
    pub fn names_what_is_moved(&self) -> bool {
        self.includes
    }

    /// Whether an object is moved. One that is not known is: it was created since.
    pub fn holds(&self, id: ObjectId) -> bool {
        !self.out.contains(&id)
    }

    /// Whether a table, view or sequence is moved.
    pub fn holds_relation(&self, oid: u32) -> bool {
        self.holds(ObjectId {
            catalog: RELATIONS,
            oid,
        })
    }

    /// Whether the rows of a table are moved.
    pub fn holds_rows(&self, oid: u32) -> bool {
        self.holds_relation(oid) && !self.without_rows.contains(&oid)
    }

    /// Whether a table, view or sequence of this name is moved.
    pub fn holds_named(&self, schema: &str, name: &str) -> bool {
        !self.relations.contains(&TableName::new(schema, name))
    }

    /// Whether a type or a domain is moved.
    pub fn holds_type(&self, schema: &str, name: &str) -> bool {
        let name = format!("{}.{}", quoted(schema), quoted(name));
        self.holds_labelled(&format!("type {name}")) && self.holds_labelled(&format!("domain {name}"))
    }

    /// Whether a foreign server is moved.
    pub fn holds_server(&self, name: &str) -> bool {
        self.holds_labelled(&format!("server {}", quoted(name)))
    }

    /// Whether an extension is moved.
    pub fn holds_extension(&self, name: &str) -> bool {
        self.holds_labelled(&format!("extension {}", quoted(name)))
    }

    /// What is left out, as parallel lists of system catalogs and oids: for queries.
    pub fn ids_left_out(&self) -> (Vec<u32>, Vec<u32>) {
        self.out.iter().map(|id| (id.catalog, id.oid)).unzip()
    }

    /// Whether an object is moved, by kind and identity as `pg_identify_object` has them.
    pub fn holds_labelled(&self, label: &str) -> bool {
        !self.labels.contains(label)
    }

    /// The schemas of which nothing is moved.
    pub fn schemas_left_out(&self) -> impl Iterator<Item = &str> {
        self.schemas.iter().map(String::as_str)
    }

    /// What is moved of a catalog. Tables that are moved without rows are marked so.
    pub fn restrict(&self, catalog: Catalog) -> Catalog {
        let relations = catalog.relations.iter().filter(|r| self.holds_relation(r.oid));
        let relations = relations.cloned().map(|mut relation| {
            let oid = relation.oid;
            relation.without_rows = self.without_rows.contains(&oid);
            let is_moved = |name: &str| !self.of_tables.contains(&(oid, name.to_owned()));
            relation.triggers.retain(|trigger| is_moved(&trigger.name));
            relation.constraints.retain(|constraint| {
                let is_key = matches!(constraint.kind, ConstraintKind::ForeignKey { .. });
                !is_key || is_moved(&constraint.name)
            });
            relation
        });
        let relations = Relations::new(relations.collect());
        Catalog {
            relations,
            sequences: catalog
                .sequences
                .into_iter()
                .filter(|sequence| self.holds_relation(sequence.oid))
                .collect(),
            schemas: catalog
                .schemas
                .into_iter()
                .filter(|schema| !self.schemas.contains(&*schema.name))
                .collect(),
            extensions: catalog
                .extensions
                .into_iter()
                .filter(|extension| self.holds_extension(&extension.name))
                .collect(),
            event_triggers: catalog
                .event_triggers
                .into_iter()
                .filter(|trigger| self.holds_labelled(&format!("event trigger {}", quoted(&trigger.name))))
                .collect(),
            ..catalog
        }
    }

    /// What is moved of definitions.
    pub fn restrict_definitions(&self, definitions: Definitions) -> Definitions {
        definitions.retaining(|object| self.holds_labelled(object))
    }
}

/// A name as `quote_ident` has it, but for key words, which no extension is called.
fn quoted(name: &str) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    match name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_') && name.chars().all(plain) {
        true => name.to_owned(),
        false => format!("\"{}\"", name.replace('"', "\"\"")),
    }
}

fn left_out(resolution: &Resolution<'_>) -> Vec<Listed> {
    let graph = resolution.graph;
    let mut listed: BTreeSet<Listed> = BTreeSet::new();
    for (place, why) in &resolution.out {
        let kind = graph.kind(*place);
        let is_named = kind.is_relation() || matches!(kind, ObjectKind::Schema | ObjectKind::Extension);
        let why = match why {
            Why::NotNamed => continue,
            Why::OfProvider(_)
                if !is_named && kind != ObjectKind::EventTrigger && kind != ObjectKind::Publication =>
            {
                continue;
            }
            _ if resolution.goes_with_another(*place) => continue,
            // The schema stands for what is in it.
            Why::Excluded(Rule::ExcludeSchema, _) | Why::OfProvider(_)
                if kind != ObjectKind::Schema && is_in_schema_left_out(resolution, *place) =>
            {
                continue;
            }
            Why::Excluded(rule, pattern) => format!("{rule} {pattern}"),
            Why::OfProvider(title) => format!("belongs to {title}"),
            Why::Needs(cause) => match resolution.out.get(cause) {
                Some(Why::NotNamed) | None => {
                    format!("it needs {}, which is not selected", resolution.label(*cause))
                }
                Some(_) => format!("it needs {}, which is left out", resolution.label(*cause)),
            },
            Why::WithoutRows(table) => {
                format!(
                    "it references {}, which is moved without rows",
                    resolution.label(*table)
                )
            }
        };
        listed.insert(Listed {
            object: resolution.label(*place),
            why,
        });
    }
    listed.into_iter().collect()
}

fn is_in_schema_left_out(resolution: &Resolution<'_>, place: usize) -> bool {
    let graph = resolution.graph;
    let needs = graph.needs(place).iter();
    needs
        .filter(|edge| graph.kind(edge.to) == ObjectKind::Schema)
        .any(|edge| resolution.out.contains_key(&edge.to))
}

fn brought(resolution: &Resolution<'_>) -> Vec<Listed> {
    let graph = resolution.graph;
    let mut listed: BTreeSet<Listed> = BTreeSet::new();
    for (place, from) in &resolution.brought {
        let kind = graph.kind(*place);
        let is_listed = (kind.is_relation() || kind == ObjectKind::Extension)
            && graph.parent(*place).is_none()
            && !graph.is_owned_sequence(*place)
            && !resolution.out.contains_key(place);
        let is_member = graph
            .needs(*place)
            .iter()
            .any(|edge| edge.kind == super::DependencyKind::Member);
        if is_listed && !is_member {
            listed.insert(Listed {
                object: resolution.label(*place),
                why: format!("{} needs it", resolution.label(*from)),
            });
        }
    }
    listed.into_iter().collect()
}
