//! Extensions: what a server has, and what pghaul's role may create of it.

use crate::catalog::RoleFacts;
use crate::session::{Right, Session, SideMarker};
use pghaul_core::Failure;
use std::collections::{BTreeMap, BTreeSet};

/// Roles of managed services whose members may create whatever the service offers.
const ADMINISTRATORS: [&str; 5] = [
    "rds_superuser",
    "cloudsqlsuperuser",
    "alloydbsuperuser",
    "azure_pg_admin",
    "neon_superuser",
];

/// Settings that let ordinary roles create the extensions that they list: pgextwlist's and Supabase's.
const GRANTING_LISTS: [&str; 2] = ["extwlist.extensions", "supautils.privileged_extensions"];

/// Settings of services without which not even their administrators create an extension: RDS, Azure.
const LIMITING_LISTS: [&str; 2] = ["rds.allowed_extensions", "azure.extensions"];

/// An extension whose files a server has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AvailableExtension {
    /// The version that `CREATE EXTENSION` makes.
    pub default_version: Option<String>,
    /// All versions that can be made.
    pub versions: BTreeSet<String>,
    /// Only superusers create it.
    pub needs_superuser: bool,
    /// Whoever has CREATE on the database may create it although it needs a superuser's rights (PostgreSQL 13).
    pub trusted: bool,
}

/// Why pghaul's role may not create an extension in a database in which it has CREATE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It is for superusers, and no list makes an exception.
    NeedsSuperuser,
    /// A list of the service lacks it.
    NotInAllowList {
        /// The setting with the list.
        setting: &'static str,
    },
}

/// What a server has of extensions, and the lists that say who may create them.
#[derive(Debug, Clone)]
pub struct Extensions {
    available: BTreeMap<String, AvailableExtension>,
    lists: BTreeMap<&'static str, BTreeSet<String>>,
    role: RoleFacts,
}

impl Extensions {
    /// Asks the server.
    ///
    /// # Errors
    /// What the server says, or a lost connection.
    pub async fn of<S: SideMarker, R: Right>(session: &Session<S, R>) -> Result<Self, Failure> {
        let doing = session.doing("list the available extensions");
        let rows = doing.query(include_str!("extensions.sql"), &[]).await?;
        let available = rows.iter().map(|row| {
            let extension = AvailableExtension {
                default_version: row.get("default_version"),
                versions: row.get::<_, Vec<String>>("versions").into_iter().collect(),
                needs_superuser: row.get("superuser"),
                trusted: row.get("trusted"),
            };
            (row.get("name"), extension)
        });
        let mut lists = BTreeMap::new();
        for setting in GRANTING_LISTS.into_iter().chain(LIMITING_LISTS) {
            if let Some(list) = session.setting(setting).await? {
                lists.insert(setting, names(&list));
            }
        }
        Ok(Self {
            available: available.collect(),
            lists,
            role: session.role().await?,
        })
    }

    /// An extension, where its files are there.
    pub fn available(&self, name: &str) -> Option<&AvailableExtension> {
        self.available.get(name)
    }

    /// Whether pghaul's role, by all rules that are known, may create an available extension in a database in which it
    /// has CREATE.
    ///
    /// # Errors
    /// Why it may not.
    pub fn may_create(&self, name: &str) -> Result<(), Refusal> {
        for setting in LIMITING_LISTS {
            let list = self.lists.get(setting);
            if list.is_some_and(|list| !contains(list, name) && !list.contains("*")) {
                return Err(Refusal::NotInAllowList { setting });
            }
        }
        let anybody = self
            .available
            .get(name)
            .is_some_and(|extension| !extension.needs_superuser || extension.trusted);
        let listed = |setting| self.lists.get(setting).is_some_and(|list| contains(list, name));
        let administrator = |of: &String| ADMINISTRATORS.contains(&of.as_str());
        let granted = self.role.superuser
            || anybody
            || GRANTING_LISTS.into_iter().any(listed)
            || self.role.member_of.iter().any(administrator);
        if granted {
            Ok(())
        } else {
            Err(Refusal::NeedsSuperuser)
        }
    }
}

/// The names in a list that a setting holds.
fn names(list: &str) -> BTreeSet<String> {
    let names = list
        .split(',')
        .map(|name| name.trim().trim_matches('"').to_lowercase());
    names.filter(|name| !name.is_empty()).collect()
}

/// Azure shows its list in capitals.
fn contains(list: &BTreeSet<String>, name: &str) -> bool {
    list.contains(&name.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::{AvailableExtension, Extensions, Refusal, names};
    use crate::catalog::RoleFacts;
    use std::collections::BTreeMap;

    fn extensions(member_of: &[&str], lists: &[(&'static str, &str)]) -> Extensions {
        let extension = |needs_superuser, trusted| AvailableExtension {
            default_version: Some("1.0".to_owned()),
            versions: names("1.0"),
            needs_superuser,
            trusted,
        };
        Extensions {
            available: BTreeMap::from([
                ("plain".to_owned(), extension(false, false)),
                ("trusted".to_owned(), extension(true, true)),
                ("strong".to_owned(), extension(true, false)),
            ]),
            lists: lists
                .iter()
                .map(|(setting, list)| (*setting, names(list)))
                .collect(),
            role: RoleFacts {
                name: "mover".to_owned(),
                superuser: false,
                replication: false,
                create_database: true,
                create_role: true,
                bypasses_row_security: false,
                member_of: member_of.iter().map(ToString::to_string).collect(),
                inherits: true,
            },
        }
    }

    #[test]
    fn ordinary_roles_create_what_is_trusted_or_listed() {
        let may = |lists: &[(&'static str, &str)], name| extensions(&[], lists).may_create(name);
        assert_eq!(may(&[], "plain"), Ok(()));
        assert_eq!(may(&[], "trusted"), Ok(()));
        assert_eq!(may(&[], "strong"), Err(Refusal::NeedsSuperuser));
        assert_eq!(may(&[("extwlist.extensions", "x, \"strong\"")], "strong"), Ok(()));
        assert_eq!(
            may(&[("extwlist.extensions", "x")], "strong"),
            Err(Refusal::NeedsSuperuser)
        );
    }

    #[test]
    fn lists_of_services_limit_even_their_administrators() {
        let azure =
            |name| extensions(&["azure_pg_admin"], &[("azure.extensions", "STRONG,HSTORE")]).may_create(name);
        let setting = "azure.extensions";
        assert_eq!(azure("strong"), Ok(()));
        assert_eq!(azure("plain"), Err(Refusal::NotInAllowList { setting }));
        let rds =
            |list| extensions(&["rds_superuser"], &[("rds.allowed_extensions", list)]).may_create("strong");
        let setting = "rds.allowed_extensions";
        assert_eq!(rds("*"), Ok(()));
        assert_eq!(rds("hstore"), Err(Refusal::NotInAllowList { setting }));
    }
}
