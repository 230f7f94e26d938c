//! Which objects of a database are moved: patterns as `pg_dump` has them, closed over dependencies.
//!
//! An [`ObjectSelection`] is what the user gave, and is frozen with the first run. [`resolve`] applies it to a [`Graph`],
//! which holds the objects of a database and what they depend on (`pg_depend`):
//!
//! - **Included**: what a pattern matches, with its indexes, constraints, triggers, rules, policies and partitions, and
//!   everything that all of these need. A foreign key brings no table along.
//! - **Left out**: what a pattern excludes, and everything that needs it. Exclusion wins.
//!
//! Every foreign key, view, function or table that is left out because of another object is listed with its reason.

mod filter_file;
mod graph;
mod pattern;
mod provider;
mod resolve;
mod selected;

pub use filter_file::{InvalidFilter, read_filter};
pub use graph::{Dependency, DependencyKind, Graph, Object, ObjectId, ObjectKind};
pub use pattern::{InvalidPattern, Pattern};
pub use provider::ProviderObjects;
pub use resolve::{BrokenTree, Unresolvable, resolve};
pub use selected::{Listed, SelectedObjects};

use serde::{Deserialize, Serialize};
use strum::{Display, EnumIter, IntoEnumIterator as _};

/// What of the databases' objects is moved, as the user gave it; all where it is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectSelection {
    /// `--table`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<String>,
    /// `--exclude-table`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude_tables: Vec<String>,
    /// `--schema`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schemas: Vec<String>,
    /// `--exclude-schema`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude_schemas: Vec<String>,
    /// `--schema-only-table`: moved without rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schema_only_tables: Vec<String>,
    /// `--exclude-extension`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude_extensions: Vec<String>,
    /// `--exclude-event-trigger`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude_event_triggers: Vec<String>,
    /// `--exclude-role`. Roles belong to the whole cluster.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude_roles: Vec<String>,
}

/// What a pattern does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Display, EnumIter)]
#[strum(serialize_all = "kebab-case", prefix = "--")]
pub enum Rule {
    /// `--table`
    Table,
    /// `--exclude-table`
    ExcludeTable,
    /// `--schema`
    Schema,
    /// `--exclude-schema`
    ExcludeSchema,
    /// `--schema-only-table`
    SchemaOnlyTable,
    /// `--exclude-extension`
    ExcludeExtension,
    /// `--exclude-event-trigger`
    ExcludeEventTrigger,
    /// `--exclude-role`
    ExcludeRole,
}

impl Rule {
    /// Whether a pattern of this rule may match an object of this kind.
    pub fn can_match(self, kind: ObjectKind) -> bool {
        match self {
            Self::Table | Self::ExcludeTable => kind.is_relation(),
            Self::SchemaOnlyTable => kind.is_table(),
            Self::Schema | Self::ExcludeSchema => kind == ObjectKind::Schema,
            Self::ExcludeExtension => kind == ObjectKind::Extension,
            Self::ExcludeEventTrigger => kind == ObjectKind::EventTrigger,
            Self::ExcludeRole => false,
        }
    }

    /// How many names, divided by dots, a pattern of this rule may have.
    fn most_parts(self) -> usize {
        match self {
            Self::Table | Self::ExcludeTable | Self::SchemaOnlyTable => 3,
            Self::Schema | Self::ExcludeSchema => 2,
            Self::ExcludeExtension | Self::ExcludeEventTrigger | Self::ExcludeRole => 1,
        }
    }
}

impl ObjectSelection {
    /// Whether everything is moved.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether any pattern concerns the objects of databases, and not only roles.
    pub fn concerns_databases(&self) -> bool {
        Rule::iter().any(|rule| rule != Rule::ExcludeRole && !self.patterns(rule).is_empty())
    }

    /// The texts of a rule.
    pub fn patterns(&self, rule: Rule) -> &[String] {
        match rule {
            Rule::Table => &self.tables,
            Rule::ExcludeTable => &self.exclude_tables,
            Rule::Schema => &self.schemas,
            Rule::ExcludeSchema => &self.exclude_schemas,
            Rule::SchemaOnlyTable => &self.schema_only_tables,
            Rule::ExcludeExtension => &self.exclude_extensions,
            Rule::ExcludeEventTrigger => &self.exclude_event_triggers,
            Rule::ExcludeRole => &self.exclude_roles,
        }
    }

    /// Adds a pattern.
    pub fn add(&mut self, rule: Rule, pattern: String) {
        match rule {
            Rule::Table => self.tables.push(pattern),
            Rule::ExcludeTable => self.exclude_tables.push(pattern),
            Rule::Schema => self.schemas.push(pattern),
            Rule::ExcludeSchema => self.exclude_schemas.push(pattern),
            Rule::SchemaOnlyTable => self.schema_only_tables.push(pattern),
            Rule::ExcludeExtension => self.exclude_extensions.push(pattern),
            Rule::ExcludeEventTrigger => self.exclude_event_triggers.push(pattern),
            Rule::ExcludeRole => self.exclude_roles.push(pattern),
        }
    }

    /// These patterns and those of another selection.
    pub fn extend(&mut self, other: Self) {
        for rule in Rule::iter() {
            for pattern in other.patterns(rule) {
                self.add(rule, pattern.clone());
            }
        }
    }

    /// Every pattern, in the order of the rules.
    ///
    /// # Errors
    /// The first pattern that can't be read.
    pub fn parsed(&self) -> Result<Vec<(Rule, Pattern)>, InvalidPattern> {
        let all = Rule::iter().flat_map(|rule| self.patterns(rule).iter().map(move |text| (rule, text)));
        all.map(|(rule, text)| Ok((rule, Pattern::parse(rule, text)?)))
            .collect()
    }

    /// Whether only what patterns name is moved of a database, with what that needs. A pattern that names another database says
    /// nothing about this one.
    pub fn names_what_is_moved(&self, database: &str) -> bool {
        let concerns = |rule: Rule, text: &String| {
            Pattern::parse(rule, text).is_ok_and(|pattern| pattern.concerns(database))
        };
        self.tables.iter().any(|text| concerns(Rule::Table, text))
            || self.schemas.iter().any(|text| concerns(Rule::Schema, text))
    }

    /// Whether a role is left out. A pattern that can't be read matches none: it was refused before it was frozen.
    pub fn excludes_role(&self, role: &str) -> bool {
        let patterns = self.exclude_roles.iter();
        let mut parsed = patterns.filter_map(|text| Pattern::parse(Rule::ExcludeRole, text).ok());
        parsed.any(|pattern| pattern.matches_name(role))
    }
}
