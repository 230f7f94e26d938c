//! Whose rights the changes of a subscription need.
//!
//! From PostgreSQL 16 on a subscription acts as the owner of each table, unless it was created with `run_as_owner`: then as
//! its own owner, whose rights the code of triggers, defaults and constraints has too. See
//! [Security](https://www.postgresql.org/docs/current/logical-replication-security.html).

use pghaul_core::{Failure, Mapping};
use pghaul_postgres::{Right, Session, SideMarker, Target};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The first version whose subscriptions act as the owners of tables.
pub const ACTS_AS_TABLE_OWNER: u32 = 160_000;

/// A subquery of the expressions that a change of a table evaluates, as its oid, and the catalog and oid that `pg_depend` has of
/// each: for the placeholder `{evaluated}` of a statement.
pub const EVALUATED: &str = include_str!("evaluated.sql");

/// A table whose owner may not do what replication does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Powerless {
    /// The schema of the table.
    pub schema: String,
    /// The name of the table.
    pub name: String,
    /// The role that a subscription would act as: the owner of the table, or of the root of its partition tree.
    pub acts_as: String,
    /// What it may not do.
    pub why: String,
}

impl fmt::Display for Powerless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            schema,
            name,
            acts_as,
            why,
        } = self;
        write!(f, "{schema}.{name} (role {acts_as}: {why})")
    }
}

/// The owners that tables of the source will have on the target, where those are other roles.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewOwners {
    /// The owners on the source.
    old: Vec<String>,
    /// The role of the target that takes the place of each.
    new: Vec<String>,
    /// Whether that is a superuser.
    superuser: Vec<bool>,
    /// Whether it bypasses row-level security.
    bypasses_row_security: Vec<bool>,
}

impl NewOwners {
    /// Reads what the roles may do that take the place of the source's. Those that the target lacks are created as they are
    /// on the source.
    ///
    /// # Errors
    /// When a server can't be asked.
    pub async fn read<S: SideMarker, R: Right>(
        source: &Session<S, R>,
        target: &Session<Target, R>,
        mapping: &Mapping,
    ) -> Result<Self, Failure> {
        let mut owners = Self::default();
        if !mapping.maps_roles() && !mapping.no_owner {
            return Ok(owners);
        }
        let sql = "SELECT rolname::text, rolsuper, rolbypassrls FROM pg_catalog.pg_roles";
        let there = target.doing("list the roles").query(sql, &[]).await?;
        let pghauls = target.role().await?.name;
        for row in source.doing("list the roles").query(sql, &[]).await? {
            let old: String = row.get(0);
            let new = match mapping.no_owner {
                true => &pghauls,
                false => mapping.role(&old),
            };
            let facts = there.iter().find(|there| there.get::<_, &str>(0) == new);
            if let Some(facts) = facts.filter(|_| new != old) {
                owners.new.push(new.to_owned());
                owners.superuser.push(facts.get(1));
                owners.bypasses_row_security.push(facts.get(2));
                owners.old.push(old);
            }
        }
        Ok(owners)
    }
}

/// The tables whose owners may not do what replication does: of all, or of some, given by schema and name.
///
/// # Errors
/// When the server can't be asked.
pub async fn powerless<S: SideMarker, R: Right>(
    session: &Session<S, R>,
    tables: Option<(Vec<String>, Vec<String>)>,
    owners: &NewOwners,
) -> Result<Vec<Powerless>, Failure> {
    let (schemas, names) = tables.unzip();
    let doing = session.doing("read what the owners of tables may do");
    let sql = include_str!("apply_rights.sql").replace("{evaluated}", EVALUATED);
    let rows = doing
        .query(
            &sql,
            &[
                &schemas,
                &names,
                &owners.old,
                &owners.new,
                &owners.superuser,
                &owners.bypasses_row_security,
            ],
        )
        .await?;
    let powerless = rows.iter().map(|row| Powerless {
        schema: row.get("schema"),
        name: row.get("name"),
        acts_as: row.get("acts"),
        why: row.get("why"),
    });
    Ok(powerless.collect())
}
