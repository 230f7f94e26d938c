//! What has another name, owner or rights on the target than on the source, because the user wants it so.
//!
//! Frozen with the selection. Journals that say nothing of it were written when everything kept its name.

use crate::failure::{Code, Failure};
use crate::id::DatabaseName;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

/// What a name stands for in the place of every other one, in [`Renaming::old`].
const EVERY: &str = "*";

/// The longest name of PostgreSQL, in bytes.
const LONGEST: usize = 63;

/// An option of the form `OLD=NEW`. A name with an equals sign, or that is `*`, stands in double quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renaming {
    /// The name on the source; absent where the option names all others with `*`.
    pub old: Option<String>,
    /// The name on the target.
    pub new: String,
}

/// Text that is no [`Renaming`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotARenaming {
    /// No equals sign, or more than one that is not quoted.
    #[error(
        "expected OLD=NEW, such as postgres=admin; put a name that contains an equals sign into double quotes"
    )]
    Form,
    /// An empty name, or one that PostgreSQL would cut off.
    #[error("a name has between 1 and {LONGEST} bytes")]
    Length,
}

impl FromStr for Renaming {
    type Err = NotARenaming;

    fn from_str(text: &str) -> Result<Self, NotARenaming> {
        let (old, rest) = name(text)?;
        let (new, rest) = name(rest.strip_prefix('=').ok_or(NotARenaming::Form)?)?;
        if !rest.is_empty() {
            return Err(NotARenaming::Form);
        }
        let every = text.starts_with("*=");
        Ok(Self {
            old: (!every).then_some(old),
            new,
        })
    }
}

/// A name at the begin of a text, and what follows it.
fn name(text: &str) -> Result<(String, &str), NotARenaming> {
    let (name, rest) = match text.strip_prefix('"') {
        Some(quoted) => quoted_name(quoted).ok_or(NotARenaming::Form)?,
        None => {
            let (name, rest) = text.split_at(text.find('=').unwrap_or(text.len()));
            (name.to_owned(), rest)
        }
    };
    if name.is_empty() || name.len() > LONGEST {
        return Err(NotARenaming::Length);
    }
    Ok((name, rest))
}

/// A name in double quotes, of which the first is taken off already, and what follows it.
pub fn quoted_name(text: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut rest = text;
    loop {
        let (part, after) = rest.split_once('"')?;
        name.push_str(part);
        match after.strip_prefix('"') {
            None => return Some((name, after)),
            Some(next) => {
                name.push('"');
                rest = next;
            }
        }
    }
}

impl fmt::Display for Renaming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = |name: &str| match name == EVERY || name.contains(['=', '"']) {
            true => format!("\"{}\"", name.replace('"', "\"\"")),
            false => name.to_owned(),
        };
        match &self.old {
            Some(old) => write!(f, "{}={}", quoted(old), quoted(&self.new)),
            None => write!(f, "{EVERY}={}", quoted(&self.new)),
        }
    }
}

/// What is different on the target.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mapping {
    /// Roles of the source, each with the role of the target that takes its place.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub roles: BTreeMap<String, String>,
    /// The role of the target that takes the place of all roles that `roles` does not name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_roles: Option<String>,
    /// Databases of the source, each with its name on the target.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub databases: BTreeMap<DatabaseName, DatabaseName>,
    /// Whether everything belongs to pghaul's role on the target.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_owner: bool,
    /// Whether no rights are granted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_privileges: bool,
}

impl Mapping {
    /// Puts options together.
    ///
    /// # Errors
    /// Where they contradict each other, or name what PostgreSQL reserves.
    pub fn new(roles: &[Renaming], databases: &[Renaming]) -> Result<Self, Failure> {
        let mut mapping = Self::default();
        for renaming in roles {
            if is_reserved_role(&renaming.new) || renaming.old.as_deref().is_some_and(is_reserved_role) {
                return Err(bad_option("--map-role", renaming, "PostgreSQL reserves the name"));
            }
            let known = match &renaming.old {
                Some(old) => mapping.roles.insert(old.clone(), renaming.new.clone()),
                None => mapping.other_roles.replace(renaming.new.clone()),
            };
            if known.is_some_and(|known| known != renaming.new) {
                return Err(bad_option(
                    "--map-role",
                    renaming,
                    "another option maps the same role",
                ));
            }
        }
        for renaming in databases {
            let Some(old) = &renaming.old else {
                return Err(bad_option("--rename-database", renaming, "name one database"));
            };
            if is_reserved_database(&renaming.new) {
                return Err(bad_option("--rename-database", renaming, "the name is reserved"));
            }
            let new = DatabaseName::new(&renaming.new);
            let known = mapping.databases.insert(DatabaseName::new(old), new.clone());
            if known.is_some_and(|known| known != new) {
                let why = "another option renames the same database";
                return Err(bad_option("--rename-database", renaming, why));
            }
        }
        Ok(mapping)
    }

    /// Whether everything arrives as it is.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a role of the source may have another name on the target.
    pub fn maps_roles(&self) -> bool {
        !self.roles.is_empty() || self.other_roles.is_some()
    }

    /// The role of the target for a role of the source. PostgreSQL's own roles stay what they are.
    pub fn role<'a>(&'a self, role: &'a str) -> &'a str {
        match self.roles.get(role) {
            Some(new) => new,
            None if is_reserved_role(role) => role,
            None => self.other_roles.as_deref().unwrap_or(role),
        }
    }

    /// The name of a database on the target.
    pub fn database<'a>(&'a self, database: &'a DatabaseName) -> &'a DatabaseName {
        self.databases.get(database).unwrap_or(database)
    }

    /// Refuses names of databases that do not fit those to be moved: renamed ones that are not among them, and two that
    /// would become one.
    ///
    /// # Errors
    /// [`Code::BadInput`].
    pub fn check_databases(&self, selected: &[DatabaseName]) -> Result<(), Failure> {
        let refuse = |why: String| {
            Err(Failure::new(Code::BadInput, why).with_hint("change --rename-database, or leave it out"))
        };
        if let Some(old) = self.databases.keys().find(|old| !selected.contains(old)) {
            return refuse(format!(
                "--rename-database names database {old}, which is not moved"
            ));
        }
        let mut taken: BTreeSet<&DatabaseName> = BTreeSet::new();
        match selected.iter().find(|old| !taken.insert(self.database(old))) {
            None => Ok(()),
            Some(old) => refuse(format!(
                "two databases of the source would be database {} on the target",
                self.database(old)
            )),
        }
    }
}

fn bad_option(option: &str, renaming: &Renaming, why: &str) -> Failure {
    Failure::new(
        Code::BadInput,
        format!("{option} {renaming} can't be used: {why}"),
    )
}

/// Whether a role is PostgreSQL's own, or a word that stands for one in statements.
fn is_reserved_role(name: &str) -> bool {
    name.starts_with("pg_") || matches!(name, "" | "public" | "none")
}

fn is_reserved_database(name: &str) -> bool {
    matches!(name, "template0" | "template1") || name.starts_with("pghaul_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn renamings(texts: &[&str]) -> Vec<Renaming> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn refusal(roles: &[&str], databases: &[&str]) -> String {
        let refused = Mapping::new(&renamings(roles), &renamings(databases));
        refused.unwrap_err().message
    }

    #[test]
    fn names_are_quoted_where_they_must_be() {
        for text in ["a=b", "A b=c d", "\"x=y\"=\"z\"\"\"", "*=b", "\"*\"=b"] {
            let renaming: Renaming = text.parse().unwrap();
            assert_eq!(renaming.to_string(), text, "{renaming:?}");
        }
        for text in ["", "a", "=b", "a=", "a=b=c", "\"a=b", "\"a\"x=b"] {
            assert!(text.parse::<Renaming>().is_err(), "{text}");
        }
    }

    #[test]
    fn all_names_change_at_once() {
        let mapping = Mapping::new(&renamings(&["a=b", "b=a", "*=c"]), &[]).unwrap();
        let mapped = ["a", "b", "x", "pg_monitor"].map(|role| mapping.role(role));
        assert_eq!(mapped, ["b", "a", "c", "pg_monitor"]);
        assert_eq!(Mapping::default().role("a"), "a");
    }

    #[test]
    fn contradictions_and_reserved_names_are_refused() {
        assert_eq!(
            refusal(&["a=b", "a=c"], &[]),
            "--map-role a=c can't be used: another option maps the same role"
        );
        assert_eq!(
            refusal(&["a=pg_monitor"], &[]),
            "--map-role a=pg_monitor can't be used: PostgreSQL reserves the name"
        );
        assert_eq!(
            refusal(&[], &["a=template1"]),
            "--rename-database a=template1 can't be used: the name is reserved"
        );
    }

    #[test]
    fn two_databases_do_not_become_one() {
        let refusal = |options: &[&str], selected: &[&str]| {
            let mapping = Mapping::new(&[], &renamings(options)).unwrap();
            let selected: Vec<DatabaseName> = selected.iter().map(|name| (*name).into()).collect();
            mapping.check_databases(&selected).map_err(|f| f.message)
        };
        assert_eq!(refusal(&["a=b", "b=a"], &["a", "b"]), Ok(()));
        assert_eq!(
            refusal(&["a=b"], &["a", "b"]).unwrap_err(),
            "two databases of the source would be database b on the target"
        );
        assert_eq!(
            refusal(&["x=b"], &["a"]).unwrap_err(),
            "--rename-database names database x, which is not moved"
        );
    }

    #[test]
    fn what_stays_as_it_is_is_not_written() {
        assert_eq!(serde_json::to_string(&Mapping::default()).unwrap(), "{}");
    }
}
