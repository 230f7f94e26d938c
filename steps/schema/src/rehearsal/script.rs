//! What of an archive is rehearsed, and as what.
//!
//! Roles may not be on the target yet, so owners and privileges are left out. So is what would reach beyond the database:
//! settings of databases and roles, publications and subscriptions, event triggers, the passwords of foreign servers.

use super::lacking::differs;
use crate::archive::{Archive, Entry};
use crate::fate::Pass;
use crate::not_null::NotNullNames;
use crate::owner::Owners;
use crate::passes::Passes;
use crate::raw::sendable;
use crate::script::script;
use crate::spelling::Spelling;
use crate::{foreign_keys, operators, unsafe_checks};
use libpgdump::ObjectType;
use pghaul_contracts::UnsafeCheck;
use pghaul_step::{Failure, Method, TableName};
use std::collections::{BTreeMap, BTreeSet};

/// Extensions whose background workers look for work in every database, or that one database alone may have.
const NOT_IN_A_SECOND_DATABASE: &[&str] = &["pg_cron", "timescaledb", "pglogical", "spock", "citus", "bdr"];

/// What matters of the target.
pub(super) struct OnTarget<'a> {
    pub(super) version: u32,
    /// Whom everything belongs to that is made; the connecting role where it is absent.
    pub(super) owner: Option<&'a str>,
    /// Whether it lacks roles of the source: they are moved later.
    pub(super) lacks_roles: bool,
    /// Whether the database is surely dumped: a replicated one lacks indexes that workers could not maintain.
    pub(super) dumps: bool,
}

/// A kind of object, its schema, and its name.
type Name = (&'static str, String, String);

const TABLE: &str = "TABLE";
const DOMAIN: &str = "DOMAIN";
const VIEW: &str = "MATERIALIZED VIEW";

/// The archive as it is rehearsed.
pub(super) struct Script {
    pub(super) archive: Archive,
    pub(super) checks: Vec<UnsafeCheck>,
    not_null: NotNullNames,
    spelling: Spelling,
    /// Entries that are left out, with all that depends on them.
    left_out: BTreeSet<i32>,
    /// Tables and domains that depend on a function of users, or on what is different in a rehearsal.
    calling: BTreeSet<Name>,
    /// Materialized views that are left out, or read from another server.
    distant: BTreeSet<Name>,
}

impl Script {
    /// The script for a target.
    pub(super) fn of(mut archive: Archive, checks: Vec<UnsafeCheck>, target: &OnTarget<'_>) -> Self {
        for entry in &mut archive.entries {
            entry.owner = target
                .owner
                .filter(|_| belongs_to_anyone(entry))
                .unwrap_or_default()
                .to_owned();
            entry.tablespace = String::new();
        }
        let left_out = |entry: &Entry| {
            is_left_out(entry)
                || (target.lacks_roles && names_roles(entry))
                || unsafe_checks::is_comment_on_one(&checks, entry)
        };
        let is_function = |entry: &Entry| {
            matches!(
                entry.kind,
                ObjectType::Function | ObjectType::Procedure | ObjectType::Aggregate
            )
        };
        let is_different = |entry: &Entry| entry.kind == ObjectType::Domain && differs(&entry.statements);
        let left_out = archive.with_dependents(left_out);
        let calling = archive.with_dependents(|entry| is_function(entry) || is_different(entry));
        let mut distant = archive.with_dependents(|entry| entry.kind == ObjectType::ForeignTable);
        distant.extend(&left_out);
        Self {
            not_null: NotNullNames::of(&archive, target.version),
            spelling: Spelling::of(target.version),
            calling: named(&archive, |entry| calling.contains(&entry.id)),
            distant: named(&archive, |entry| distant.contains(&entry.id)),
            left_out,
            archive,
            checks,
        }
    }

    /// The entries before the rows, and those after them, each in the archive's order.
    pub(super) fn entries(&self) -> (Vec<&Entry>, Vec<&Entry>) {
        let passes = Passes::of(&self.archive, Method::Dump);
        let of = |pass: Pass| {
            let entries = self.archive.entries.iter();
            entries
                .filter(|entry| passes.pass(entry) == Some(pass) && !self.left_out.contains(&entry.id))
                .collect()
        };
        (of(Pass::BeforeData), of(Pass::AfterData))
    }

    /// What is sent for an entry.
    pub(super) fn statements(&self, entry: &Entry) -> Result<String, Failure> {
        let statements = match entry.kind {
            ObjectType::FkConstraint => foreign_key(&entry.statements),
            _ => entry.statements.clone(),
        };
        let (before, after) = self.not_null.around(entry)?;
        let without = unsafe_checks::dropping(&self.checks, entry)?;
        let script = before + &script(entry, &statements, None, &Owners::All)? + &without + &after;
        let script = self
            .spelling
            .spelt(entry, operators::found(&self.archive, entry, script)?);
        Ok(sendable(&script, self.archive.encoding()).into_owned() + "\n")
    }

    /// Whether a table has columns or constraints that call functions of users.
    pub(super) fn calls_functions(&self, table: &TableName) -> bool {
        self.calling
            .contains(&(TABLE, table.schema.clone(), table.name.clone()))
    }

    /// The same of the table or domain of a check.
    pub(super) fn check_calls_functions(&self, check: &UnsafeCheck) -> bool {
        let kind = if check.of_domain { DOMAIN } else { TABLE };
        let of = (kind, check.schema.clone(), check.of.clone());
        self.calling.contains(&of) || differs(&check.definition)
    }

    /// Whether a materialized view is left out, or would read from another server.
    pub(super) fn keeps_out_view(&self, view: &View) -> bool {
        self.distant
            .contains(&(VIEW, view.schema.clone(), view.name.clone()))
    }

    /// The tables among the entries with these places, and the materialized views.
    pub(super) fn named(&self, places: &BTreeMap<i32, Option<i32>>) -> Missing {
        Missing(match places.is_empty() {
            true => BTreeSet::new(),
            false => named(&self.archive, |entry| places.contains_key(&entry.id)),
        })
    }
}

/// A populated materialized view.
pub(super) struct View {
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) owner: String,
}

/// The tables, domains and materialized views that are not there.
pub(super) struct Missing(BTreeSet<Name>);

impl Missing {
    pub(super) fn has_table(&self, table: &TableName) -> bool {
        self.0
            .contains(&(TABLE, table.schema.clone(), table.name.clone()))
    }

    pub(super) fn has_view(&self, view: &View) -> bool {
        self.0.contains(&(VIEW, view.schema.clone(), view.name.clone()))
    }
}

fn named(archive: &Archive, chosen: impl Fn(&Entry) -> bool) -> BTreeSet<Name> {
    let entries = archive.entries.iter().filter(|entry| chosen(entry));
    let names = entries.filter_map(|entry| {
        let kind = match entry.kind {
            ObjectType::Table => TABLE,
            ObjectType::Domain => DOMAIN,
            ObjectType::MaterializedView => VIEW,
            _ => return None,
        };
        Some((kind, entry.namespace.clone(), entry.tag.clone()))
    });
    names.collect()
}

/// Whether an entry would reach beyond the database.
pub(super) fn is_left_out(entry: &Entry) -> bool {
    use ObjectType as T;
    match &entry.kind {
        T::Database
        | T::DatabaseProperties
        | T::Acl
        | T::DefaultAcl
        | T::EventTrigger
        | T::Publication
        | T::PublicationTable
        | T::PublicationTablesInSchema
        | T::Subscription
        | T::SubscriptionTable
        | T::UserMapping => true,
        T::Comment | T::SecurityLabel => {
            let shared = ["DATABASE ", "EVENT TRIGGER ", "PUBLICATION ", "SUBSCRIPTION "];
            shared.iter().any(|kind| entry.tag.starts_with(kind))
        }
        T::Extension => NOT_IN_A_SECOND_DATABASE.contains(&entry.tag.as_str()),
        _ => false,
    }
}

/// Whether a policy is one for some roles only.
fn names_roles(entry: &Entry) -> bool {
    entry.kind == ObjectType::Policy && entry.statements.contains(" TO ")
}

/// Whether an object can have any owner: some must have a superuser.
fn belongs_to_anyone(entry: &Entry) -> bool {
    use ObjectType as T;
    !matches!(
        entry.kind,
        T::Database
            | T::EventTrigger
            | T::ForeignDataWrapper
            | T::ForeignServer
            | T::Server
            | T::ProceduralLanguage
            | T::Publication
    )
}

/// A foreign key is created without checking any row: a few rows of each table do not belong together.
fn foreign_key(statements: &str) -> String {
    foreign_keys::unchecked(statements).unwrap_or_else(|| statements.to_owned())
}

/// The statements that empty the partitioned tables that foreign keys are to be added to: such a key can't be NOT VALID.
pub(super) fn emptying(foreign_keys: &[&Entry]) -> BTreeSet<String> {
    let tables = foreign_keys.iter().filter_map(|entry| {
        let rest = entry.statements.strip_prefix("ALTER TABLE ")?;
        let (table, _) = rest.split_once("\n    ADD CONSTRAINT ")?;
        (!table.starts_with("ONLY ")).then(|| format!("TRUNCATE {table} CASCADE"))
    });
    tables.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(kind: ObjectType, tag: &str) -> Entry {
        Entry {
            owner: "o".to_owned(),
            before_data: true,
            ..Entry::bare(kind, tag)
        }
    }

    #[test]
    fn nothing_reaches_beyond_the_database() {
        use ObjectType as T;
        for (kind, tag) in [
            (T::DatabaseProperties, "shop"),
            (T::Comment, "DATABASE shop"),
            (T::SecurityLabel, "DATABASE shop"),
            (T::Publication, "p"),
            (T::Subscription, "s"),
            (T::EventTrigger, "e"),
            (T::UserMapping, "USER MAPPING u SERVER s"),
            (T::Extension, "pg_cron"),
        ] {
            assert!(is_left_out(&entry(kind.clone(), tag)), "{kind:?} {tag}");
        }
        assert!(!is_left_out(&entry(T::Comment, "TABLE database")));
        assert!(!is_left_out(&entry(T::Extension, "hstore")));
    }

    #[test]
    fn a_foreign_key_checks_no_row() {
        let plain =
            "ALTER TABLE ONLY public.a\n    ADD CONSTRAINT k FOREIGN KEY (b) REFERENCES public.b(id);\n";
        assert!(foreign_key(plain).ends_with(" NOT VALID;\n"));
        let mut key = entry(ObjectType::FkConstraint, "a k");
        key.statements = plain.to_owned();
        assert_eq!(emptying(&[&key]), BTreeSet::new());
        key.statements = plain.replace("ONLY ", "");
        assert_eq!(foreign_key(&key.statements), key.statements);
        assert_eq!(
            emptying(&[&key]),
            BTreeSet::from(["TRUNCATE public.a CASCADE".to_owned()])
        );
    }
}
