//! A role on the source, and the statements that create it on the target.

use crate::piece::{Piece, What};
use crate::setting;
use pghaul_step::postgres::catalog::RoleFacts;
use pghaul_step::postgres::{Ident, QuoteError, Right, Row, Session, SideMarker, Target, literal};
use pghaul_step::renaming::renamed_setting;
use pghaul_step::{Failure, Mapping};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// Roles by which hosting services run their servers. On another server they are only names that grants and
/// owners refer to: they get no attributes and can't log in.
const OF_PROVIDERS: [&str; 19] = [
    "alloydbadmin",
    "alloydbsuperuser",
    "azure_pg_admin",
    "azure_superuser",
    "azuresu",
    "cloud_admin",
    "cloudsqladmin",
    "cloudsqlagent",
    "cloudsqlimportexport",
    "cloudsqlreplica",
    "cloudsqlsuperuser",
    "neon_superuser",
    "rds_ad",
    "rds_iam",
    "rds_password",
    "rds_replication",
    "rds_superuser",
    "rdsadmin",
    "rdsrepladmin",
];

/// An attribute that is off unless it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attribute {
    Superuser,
    CreateDb,
    CreateRole,
    Login,
    Replication,
    BypassRls,
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Superuser => "SUPERUSER",
            Self::CreateDb => "CREATEDB",
            Self::CreateRole => "CREATEROLE",
            Self::Login => "LOGIN",
            Self::Replication => "REPLICATION",
            Self::BypassRls => "BYPASSRLS",
        })
    }
}

/// A password verifier. Its `Debug` form says nothing.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Verifier(String);

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier(..)")
    }
}

/// What the source says about the password of a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Password {
    /// The role has one, or none.
    Known(Option<Verifier>),
    /// pghaul's role may not read `pg_authid`.
    Hidden,
}

/// A role on the source.
#[derive(Debug, Clone)]
pub(crate) struct Role {
    pub(crate) name: String,
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) inherits: bool,
    pub(crate) connection_limit: i32,
    pub(crate) valid_until: Option<String>,
    pub(crate) settings: Vec<String>,
    pub(crate) comment: Option<String>,
    /// Providers of security labels, with what they are to know of the role.
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) password: Password,
    /// Whether it is one by which a hosting service runs its servers.
    pub(crate) of_provider: bool,
}

/// A created role that lacks attributes which it has on the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weakened {
    /// The role.
    pub role: String,
    /// The attributes, as in `ALTER ROLE`.
    pub attributes: Vec<String>,
}

/// The roles as the target is to have them, each once: two of the source may become one.
pub(crate) fn renamed(roles: Vec<Role>, mapping: &Mapping) -> Vec<Role> {
    let keeps_name = |role: &Role| mapping.role(&role.name) == role.name;
    let (keeping, others): (Vec<Role>, Vec<Role>) = roles.into_iter().partition(keeps_name);
    let mut names = BTreeSet::new();
    let renamed = keeping
        .into_iter()
        .chain(others)
        .map(|role| role.renamed(mapping));
    renamed.filter(|role| names.insert(role.name.clone())).collect()
}

/// Reads all roles of a server but PostgreSQL's own, by name.
pub(crate) async fn read<S: SideMarker, R: Right>(server: &Session<S, R>) -> Result<Vec<Role>, Failure> {
    let sql = "SELECT pg_catalog.has_column_privilege('pg_catalog.pg_authid', 'rolpassword', 'SELECT')";
    let readable: bool = server
        .doing("see whether passwords can be read")
        .query_one(sql, &[])
        .await?
        .get(0);
    let sql = include_str!("roles.sql");
    let sql = match readable {
        true => sql.replace(
            "{password}",
            "(SELECT a.rolpassword FROM pg_catalog.pg_authid a WHERE a.oid = r.oid)",
        ),
        false => sql.replace("{password}", "NULL::text"),
    };
    let rows = server.doing("read the roles").query(&sql, &[]).await?;
    Ok(rows.iter().map(|row| Role::of(row, readable)).collect())
}

impl Role {
    fn of(row: &Row, readable: bool) -> Self {
        let attributes = [
            (Attribute::Superuser, "rolsuper"),
            (Attribute::CreateDb, "rolcreatedb"),
            (Attribute::CreateRole, "rolcreaterole"),
            (Attribute::Login, "rolcanlogin"),
            (Attribute::Replication, "rolreplication"),
            (Attribute::BypassRls, "rolbypassrls"),
        ];
        let given = attributes
            .into_iter()
            .filter(|(_, column)| row.get::<_, bool>(*column));
        let password = match readable {
            true => Password::Known(row.get::<_, Option<String>>("password").map(Verifier)),
            false => Password::Hidden,
        };
        let [providers, labels] =
            ["label_providers", "labels"].map(|column| row.get::<_, Vec<String>>(column));
        let name: String = row.get("rolname");
        Self {
            of_provider: OF_PROVIDERS.contains(&name.as_str()),
            name,
            attributes: given.map(|(attribute, _)| attribute).collect(),
            inherits: row.get("rolinherit"),
            connection_limit: row.get("rolconnlimit"),
            valid_until: row.get("valid_until"),
            settings: row.get::<_, Option<Vec<String>>>("rolconfig").unwrap_or_default(),
            comment: row.get("comment"),
            labels: providers.into_iter().zip(labels).collect(),
            password,
        }
    }

    /// The role as it is created on the target. A password that is hashed with MD5 is bound to the name of its role, and
    /// is left out under another one.
    pub(crate) fn renamed(self, mapping: &Mapping) -> Self {
        let name = mapping.role(&self.name).to_owned();
        let settings = self.settings.iter();
        let settings = settings.map(|setting| renamed_setting(setting, mapping).into_owned());
        let password = match self.password {
            Password::Known(Some(Verifier(hash))) if name != self.name && hash.starts_with("md5") => {
                Password::Hidden
            }
            password => password,
        };
        Self {
            settings: settings.collect(),
            name,
            password,
            ..self
        }
    }

    /// Whether it may log in on the target, but without the password that it may have on the source.
    pub(crate) fn lacks_password(&self) -> bool {
        self.password == Password::Hidden && self.attributes.contains(&Attribute::Login) && !self.of_provider
    }

    /// Settings, comment and security labels, one statement each.
    pub(crate) fn pieces(&self) -> Result<Vec<Piece>, QuoteError> {
        let name = Ident::new(&self.name)?;
        let short = name.short();
        let mut pieces = Vec::new();
        for setting in &self.settings {
            let parameter = setting.split('=').next().unwrap_or_default();
            pieces.push(Piece {
                what: What::Setting {
                    parameter: parameter.to_owned(),
                },
                object: format!("setting {parameter} of role {short}"),
                statement: format!("ALTER ROLE {name} SET {}", setting::assignment(setting)?),
            });
        }
        if let Some(comment) = &self.comment {
            pieces.push(Piece {
                what: What::Comment,
                object: format!("comment on role {short}"),
                statement: format!("COMMENT ON ROLE {name} IS {}", literal(comment)?),
            });
        }
        for (provider, label) in &self.labels {
            let quoted = Ident::new(provider)?;
            let label = literal(label)?;
            pieces.push(Piece {
                what: What::Label {
                    provider: provider.clone(),
                },
                object: format!("security label for {} on role {short}", quoted.short()),
                statement: format!("SECURITY LABEL FOR {quoted} ON ROLE {name} IS {label}"),
            });
        }
        Ok(pieces)
    }
}

/// pghaul's role on the target, and which attributes it may give to others.
#[derive(Debug, Clone)]
pub(crate) struct Creator {
    pub(crate) facts: RoleFacts,
    pub(crate) version: u32,
}

impl Creator {
    pub(crate) async fn of<R: Right>(target: &Session<Target, R>) -> Result<Self, Failure> {
        Ok(Self {
            facts: target.role().await?,
            version: target.server_version(),
        })
    }

    /// See [CREATE ROLE](https://www.postgresql.org/docs/current/sql-createrole.html): from PostgreSQL 16 on one
    /// gives what one has, before only a superuser gives the powerful ones.
    fn may_give(&self, attribute: Attribute) -> bool {
        let own = self.version >= 160_000;
        match attribute {
            _ if self.facts.superuser => true,
            Attribute::Superuser => false,
            Attribute::Replication => own && self.facts.replication,
            Attribute::BypassRls => own && self.facts.bypasses_row_security,
            Attribute::CreateDb => !own || self.facts.create_database,
            Attribute::CreateRole | Attribute::Login => true,
        }
    }

    fn gives(&self, role: &Role, attribute: Attribute) -> bool {
        !role.of_provider && self.may_give(attribute)
    }

    /// The attributes that the role does not get.
    pub(crate) fn weakened(&self, role: &Role) -> Option<Weakened> {
        let lacking = role
            .attributes
            .iter()
            .filter(|attribute| !self.gives(role, **attribute));
        let attributes: Vec<String> = lacking.map(ToString::to_string).collect();
        (!attributes.is_empty()).then(|| Weakened {
            role: role.name.clone(),
            attributes,
        })
    }

    /// The role itself. **Its statement may hold a password verifier.**
    pub(crate) fn creation(&self, role: &Role) -> Result<Piece, QuoteError> {
        Ok(Piece {
            what: What::Role,
            object: format!("role {}", Ident::new(&role.name)?.short()),
            statement: self.create_role(role)?,
        })
    }

    fn create_role(&self, role: &Role) -> Result<String, QuoteError> {
        let mut sql = format!("CREATE ROLE {} WITH", Ident::new(&role.name)?);
        sql.push_str(if role.inherits { " INHERIT" } else { " NOINHERIT" });
        for attribute in role
            .attributes
            .iter()
            .filter(|attribute| self.gives(role, **attribute))
        {
            sql.push_str(&format!(" {attribute}"));
        }
        if role.connection_limit != -1 {
            sql.push_str(&format!(" CONNECTION LIMIT {}", role.connection_limit));
        }
        if let Password::Known(Some(Verifier(verifier))) = &role.password
            && !role.of_provider
        {
            sql.push_str(&format!(" PASSWORD {}", literal(verifier)?));
        }
        if let Some(valid_until) = &role.valid_until {
            sql.push_str(&format!(" VALID UNTIL {}", literal(valid_until)?));
        }
        Ok(sql)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(name: &str, attributes: &[Attribute]) -> Role {
        Role {
            name: name.into(),
            attributes: attributes.to_vec(),
            inherits: true,
            connection_limit: -1,
            valid_until: None,
            settings: Vec::new(),
            comment: None,
            labels: Vec::new(),
            password: Password::Known(Some(Verifier("md5'x".into()))),
            of_provider: OF_PROVIDERS.contains(&name),
        }
    }

    fn creator(superuser: bool, version: u32) -> Creator {
        let facts = RoleFacts {
            name: "me".into(),
            superuser,
            replication: true,
            create_database: false,
            create_role: true,
            bypasses_row_security: false,
            member_of: Vec::new(),
            inherits: true,
        };
        Creator { facts, version }
    }

    const ALL: &[Attribute] = &[
        Attribute::Superuser,
        Attribute::CreateDb,
        Attribute::CreateRole,
        Attribute::Login,
        Attribute::Replication,
        Attribute::BypassRls,
    ];

    #[test]
    fn names_and_verifiers_are_quoted() {
        let hostile = role("Robert'); DROP TABLE \"students\";--", &[Attribute::Login]);
        assert_eq!(
            creator(true, 150_000).create_role(&hostile).unwrap(),
            "CREATE ROLE \"Robert'); DROP TABLE \"\"students\"\";--\" WITH INHERIT LOGIN PASSWORD 'md5''x'"
        );
    }

    #[test]
    fn only_what_may_be_given_is_given() {
        let given = |creator: Creator| creator.create_role(&role("r", ALL)).unwrap();
        assert!(
            given(creator(true, 150_000))
                .contains("SUPERUSER CREATEDB CREATEROLE LOGIN REPLICATION BYPASSRLS")
        );
        assert!(given(creator(false, 150_000)).contains("WITH INHERIT CREATEDB CREATEROLE LOGIN PASSWORD"));
        assert!(
            given(creator(false, 160_000)).contains("WITH INHERIT CREATEROLE LOGIN REPLICATION PASSWORD")
        );
        let weakened = creator(false, 150_000).weakened(&role("r", ALL)).unwrap();
        assert_eq!(weakened.attributes, ["SUPERUSER", "REPLICATION", "BYPASSRLS"]);
        assert_eq!(creator(true, 150_000).weakened(&role("r", ALL)), None);
    }

    #[test]
    fn a_provider_s_role_is_only_a_name() {
        let creator = creator(true, 150_000);
        let provider = role("rdsadmin", &[Attribute::Superuser, Attribute::Login]);
        assert_eq!(
            creator.create_role(&provider).unwrap(),
            "CREATE ROLE \"rdsadmin\" WITH INHERIT"
        );
        assert_eq!(
            creator.weakened(&provider).unwrap().attributes,
            ["SUPERUSER", "LOGIN"]
        );
    }

    #[test]
    fn a_password_that_is_bound_to_the_name_does_not_go_with_another() {
        let mapping = Mapping {
            roles: [("a".to_owned(), "b".to_owned())].into(),
            ..Mapping::default()
        };
        let renamed = role("a", &[Attribute::Login]).renamed(&mapping);
        assert_eq!((renamed.name.as_str(), renamed.lacks_password()), ("b", true));
        assert!(!role("c", &[Attribute::Login]).renamed(&mapping).lacks_password());
    }

    #[test]
    fn a_verifier_is_never_shown() {
        assert!(!format!("{:?}", role("r", ALL)).contains("md5"));
    }
}
