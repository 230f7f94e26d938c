//! Where the source comes from, and what of it belongs to its provider.
//!
//! Each provider has a profile in `profiles/`: how it is recognised, and what it leaves out. What something of a user needs
//! comes along all the same, and so do the tables that users' foreign keys reference: `pghaul-core` decides that for each
//! database. Roles of providers arrive without attributes, since owners and grants refer to them.

use pghaul_core::selection::ProviderObjects;
use pghaul_core::{Code, Failure};
use pghaul_postgres::{PgError, Right, Server, Session, SideMarker, Source};
use pghaul_step::check::maintenance_for_reading;
use serde::Deserialize;
use std::collections::BTreeSet;

/// The profiles, each before the one that would match its servers too.
const PROFILES: &[(&str, &str)] = &[
    ("supabase", include_str!("profiles/supabase.toml")),
    ("aurora", include_str!("profiles/aurora.toml")),
    ("heroku", include_str!("profiles/heroku.toml")),
    ("rds", include_str!("profiles/rds.toml")),
    ("alloydb", include_str!("profiles/alloydb.toml")),
    ("cloud-sql", include_str!("profiles/cloud-sql.toml")),
    ("azure", include_str!("profiles/azure.toml")),
    ("aiven", include_str!("profiles/aiven.toml")),
    ("neon", include_str!("profiles/neon.toml")),
    ("timescale", include_str!("profiles/timescale.toml")),
    ("crunchy", include_str!("profiles/crunchy.toml")),
];

/// What is known of a provider.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// As `--provider` takes it.
    #[serde(skip)]
    pub name: String,
    /// Its name in sentences.
    pub title: String,
    /// The page of the provider that it rests on.
    pub source: String,
    /// All of these are there on its servers.
    pub recognised_by: Marks,
    /// What belongs to it.
    pub leaves_out: LeftOut,
}

/// What tells a provider's servers from others.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Marks {
    /// Roles.
    pub roles: Vec<String>,
    /// Databases.
    pub databases: Vec<String>,
    /// Functions in the schema `pg_catalog`.
    pub functions: Vec<String>,
}

/// What belongs to a provider, by name.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LeftOut {
    /// Schemas, with everything in them.
    pub schemas: Vec<String>,
    /// Extensions that other servers do not have.
    pub extensions: Vec<String>,
    /// Event triggers.
    pub event_triggers: Vec<String>,
    /// Publications.
    pub publications: Vec<String>,
    /// Roles, which arrive without attributes.
    pub roles: Vec<String>,
    /// Databases, which are left out unless they are named.
    pub databases: Vec<String>,
}

/// All profiles, in the order in which they are tried.
///
/// # Errors
/// A profile that can't be read, which a test rules out.
pub fn profiles() -> Result<Vec<Profile>, Failure> {
    let read = |(name, text): &(&str, &str)| {
        let profile: Profile = toml::from_str(text)
            .map_err(|error| Failure::bug(format!("the profile of {name} can't be read: {error}")))?;
        Ok(Profile {
            name: (*name).to_owned(),
            ..profile
        })
    };
    PROFILES.iter().map(read).collect()
}

/// The names that `--provider` takes besides `auto` and `none`.
pub fn names() -> Vec<&'static str> {
    PROFILES.iter().map(|(name, _)| *name).collect()
}

/// Refuses a name that is no profile's.
///
/// # Errors
/// [`Code::BadInput`] with the names there are.
pub fn check_name(name: Option<&str>) -> Result<(), Failure> {
    match name {
        Some(name) if name != "none" && !names().contains(&name) => Err(unknown(name)),
        _ => Ok(()),
    }
}

/// What belongs to the provider of the source: the one that is named, or the one that is recognised; `none` where the
/// user says so.
///
/// # Errors
/// When the source can't be asked.
pub async fn recognise(
    source: &Server<Source>,
    named: Option<&str>,
) -> Result<Option<Box<ProviderObjects>>, Failure> {
    let profiles = profiles()?;
    let found = match named {
        Some("none") => None,
        Some(name) => {
            let found = profiles.into_iter().find(|profile| profile.name == name);
            Some(found.ok_or_else(|| unknown(name))?)
        }
        None => {
            let present = Present::read(source).await?;
            profiles
                .into_iter()
                .find(|profile| present.has(&profile.recognised_by))
        }
    };
    Ok(found.map(|profile| {
        Box::new(ProviderObjects {
            provider: profile.name,
            title: profile.title,
            schemas: profile.leaves_out.schemas,
            extensions: profile.leaves_out.extensions,
            event_triggers: profile.leaves_out.event_triggers,
            publications: profile.leaves_out.publications,
            roles: profile.leaves_out.roles,
        })
    }))
}

fn unknown(name: &str) -> Failure {
    Failure::new(
        Code::BadInput,
        format!("there is no profile of a provider {name:?}"),
    )
    .with_hint(format!("the profiles are: {}, and none", names().join(", ")))
}

/// What a source has that may be a mark.
struct Present {
    roles: BTreeSet<String>,
    databases: BTreeSet<String>,
    functions: BTreeSet<String>,
}

impl Present {
    async fn read(source: &Server<Source>) -> Result<Self, Failure> {
        let session = maintenance_for_reading(source).await?;
        let functions = "SELECT DISTINCT proname::text FROM pg_catalog.pg_proc \
                          WHERE pronamespace = 'pg_catalog'::pg_catalog.regnamespace AND proname ~ '^aurora_'";
        Ok(Self {
            roles: names_of(&session, "SELECT rolname::text FROM pg_catalog.pg_roles").await?,
            databases: names_of(&session, "SELECT datname::text FROM pg_catalog.pg_database").await?,
            functions: names_of(&session, functions).await?,
        })
    }

    fn has(&self, marks: &Marks) -> bool {
        let all =
            |wanted: &[String], there: &BTreeSet<String>| wanted.iter().all(|name| there.contains(name));
        all(&marks.roles, &self.roles)
            && all(&marks.databases, &self.databases)
            && all(&marks.functions, &self.functions)
    }
}

async fn names_of<S: SideMarker, R: Right>(
    session: &Session<S, R>,
    sql: &str,
) -> Result<BTreeSet<String>, PgError> {
    let doing = session.doing("find out which provider the source comes from");
    let rows = doing.query(sql, &[]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_profile_can_be_read_and_is_recognised_by_something() {
        for profile in profiles().unwrap() {
            let marks = &profile.recognised_by;
            let all = [&marks.roles, &marks.databases, &marks.functions];
            assert!(all.iter().any(|names| !names.is_empty()), "{}", profile.name);
            assert!(profile.source.starts_with("https://"), "{}", profile.name);
        }
    }

    #[test]
    fn an_ordinary_server_is_nobodys() {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
        let mut present = Present {
            roles: names(&["postgres", "app"]),
            databases: names(&["postgres", "app"]),
            functions: BTreeSet::new(),
        };
        let recognised = |present: &Present| {
            let profiles = profiles().unwrap();
            profiles
                .into_iter()
                .find(|p| present.has(&p.recognised_by))
                .map(|p| p.name)
        };
        assert_eq!(recognised(&present), None);
        present.roles.extend(names(&["rds_superuser", "rdsadmin"]));
        assert_eq!(recognised(&present).as_deref(), Some("rds"));
        present.functions.insert("aurora_version".to_owned());
        assert_eq!(recognised(&present).as_deref(), Some("aurora"));
    }

    #[test]
    fn each_profile_is_found_by_its_own_marks() {
        for profile in profiles().unwrap() {
            let marks = &profile.recognised_by;
            let present = Present {
                roles: marks.roles.iter().cloned().collect(),
                databases: marks.databases.iter().cloned().collect(),
                functions: marks.functions.iter().cloned().collect(),
            };
            let found = profiles()
                .unwrap()
                .into_iter()
                .find(|p| present.has(&p.recognised_by));
            assert_eq!(found.map(|p| p.name), Some(profile.name));
        }
    }
}
