//! What a run has and a rehearsal lacks: the roles that are moved before the databases, the name of the database, the mappings
//! of users to foreign servers. An error that names one of them says nothing about a run.

use pghaul_step::postgres::{ReadOnly, Session, Source, Target};
use pghaul_step::{DatabaseName, Failure, Mapping};

/// 42704 undefined_object and 22023 invalid_parameter_value: roles, and the mappings of a role.
const OF_ROLES: &[&str] = &["42704", "22023"];

/// 3D000 invalid_catalog_name, and 0A000 feature_not_supported: a reference to a table of another database.
const OF_DATABASES: &[&str] = &["3D000", "0A000"];

/// Functions and values that differ from those of a run.
const DIFFERENT: &[&str] = &[
    "CURRENT_CATALOG",
    "CURRENT_ROLE",
    "CURRENT_USER",
    "SESSION_USER",
    "current_database(",
    "has_database_privilege(",
    "pg_database_size(",
    "pg_has_role(",
];

/// Names that only a run finds.
#[derive(Debug, Default)]
pub(super) struct Lacking {
    /// Roles that the target lacks.
    roles: Vec<String>,
    /// The role that runs expressions of users: its user mappings are lacking.
    runner: String,
    /// Whether that is not the connecting role, which has more rights.
    stands_in: bool,
    /// The names of the database on both servers.
    databases: Vec<String>,
}

impl Lacking {
    /// Reads it; `stand_in` runs expressions of users, if not the connecting role does.
    pub(super) async fn read(
        mapping: &Mapping,
        stand_in: Option<&str>,
        source: &Session<Source, ReadOnly>,
        target: &Session<Target, ReadOnly>,
    ) -> Result<Self, Failure> {
        let sql = "SELECT pg_catalog.array_agg(rolname::text), pg_catalog.current_database()::text \
                   FROM pg_catalog.pg_roles WHERE rolname !~ '^pg_'";
        let row = source.doing("list the roles").query_one(sql, &[]).await?;
        let (roles, database): (Vec<String>, String) = (row.get(0), row.get(1));
        let roles: Vec<&str> = roles.iter().map(|role| mapping.role(role)).collect();
        let sql = "SELECT role FROM pg_catalog.unnest($1::text[]) AS role \
                   WHERE role NOT IN (SELECT rolname::text FROM pg_catalog.pg_roles)";
        let doing = target.doing("look for the roles of the source");
        let role = target.role().await?.name;
        let missing = doing.query(sql, &[&roles]).await?;
        Ok(Self {
            roles: missing.iter().map(|row| row.get(0)).collect(),
            runner: stand_in.unwrap_or(&role).to_owned(),
            stands_in: stand_in.is_some(),
            databases: vec![
                mapping.database(&DatabaseName::new(&database)).to_string(),
                database,
            ],
        })
    }

    /// Whether the target lacks roles of the source.
    pub(super) fn has_roles(&self) -> bool {
        !self.roles.is_empty()
    }

    /// Whether rights are lacking that the connecting role has.
    pub(super) fn rights(&self) -> bool {
        self.stands_in
    }

    /// Whether a run would not meet an error, since it has what the error names.
    pub(super) fn explains(&self, failure: &Failure) -> bool {
        let state = failure.sqlstate.as_deref().unwrap_or_default();
        let mut names: Vec<&String> = Vec::new();
        if OF_ROLES.contains(&state) {
            names.extend(&self.roles);
            names.push(&self.runner);
        } else if OF_DATABASES.contains(&state) {
            names.extend(&self.databases);
        }
        names.into_iter().any(|name| has_word(&failure.message, name))
    }
}

/// Whether an expression gives something else in a run, or may do so.
pub(super) fn differs(expression: &str) -> bool {
    DIFFERENT.iter().any(|word| expression.contains(word))
}

/// Whether a text has a name that is no part of a longer one, however a server's language quotes it.
fn has_word(text: &str, name: &str) -> bool {
    let ends = |c: Option<char>| !c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    !name.is_empty()
        && text.match_indices(name).any(|(place, _)| {
            let before = text.get(..place).and_then(|text| text.chars().next_back());
            let after = text
                .get(place + name.len()..)
                .and_then(|text| text.chars().next());
            ends(before) && ends(after)
        })
}

#[cfg(test)]
mod tests {
    use super::Lacking;
    use pghaul_step::{Code, Failure};

    #[test]
    fn an_error_about_what_only_a_run_has_is_explained() {
        let lacking = Lacking {
            roles: vec!["app".to_owned()],
            runner: "pg_database_owner".to_owned(),
            stands_in: true,
            databases: vec!["shop".to_owned()],
        };
        for (state, message, explained) in [
            ("42704", "role \"app\" does not exist", true),
            ("42704", "Rolle »app« existiert nicht", true),
            ("42704", "type \"app_type\" does not exist", false),
            (
                "42704",
                "user mapping not found for \"pg_database_owner\", server \"s\"",
                true,
            ),
            ("3D000", "database \"shop\" does not exist", true),
            ("42P01", "relation \"app\" does not exist", false),
        ] {
            let failure = Failure {
                sqlstate: Some(state.to_owned()),
                ..Failure::new(Code::ServerError, message)
            };
            assert_eq!(lacking.explains(&failure), explained, "{message}");
        }
    }
}
