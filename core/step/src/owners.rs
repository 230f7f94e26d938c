//! Who owns the objects of a database, and whose owner pghaul's role on the target can make another role.
//!
//! A superuser makes any role the owner of anything. Any other role must be able to `SET ROLE` to the new owner, and needs
//! the owner's rights to build and fill what then belongs to that: see
//! [Role membership](https://www.postgresql.org/docs/current/role-membership.html). From PostgreSQL 16 on a role that has
//! created another one may grant itself that membership; before, a role with CREATEROLE may for every role but superusers.

use pghaul_core::{Failure, Mapping};
use pghaul_postgres::{Doing, Right, Session, SideMarker, Target};
use std::collections::BTreeMap;

/// The first version whose memberships have the options INHERIT and SET.
pub const HAS_OPTIONS: u32 = 160_000;

/// What a role has to do with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// It owns the database.
    OwnsDatabase,
    /// It is the bootstrap superuser and owns the schema `public`, as in every database before PostgreSQL 15.
    OwnsInitialSchema,
    /// It owns the object, or these are its default privileges.
    Owns,
    /// It has granted rights on the object, and does not own it.
    Grants,
}

/// A role, and an object that it owns or has granted rights on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Concerned {
    /// The role.
    pub role: String,
    /// What it has to do with the object.
    pub part: Part,
    /// The object, as `pg_describe_object` names it.
    pub object: String,
    /// Whether the object is default privileges of the role.
    pub is_default_privileges: bool,
}

/// The roles that own objects of the session's database or have granted rights on them, by name. PostgreSQL's own roles
/// are left out, and so is what is not moved. Roles have their names on the target.
///
/// # Errors
/// When the server can't be asked.
pub async fn concerned<S: SideMarker, R: Right>(
    session: &Session<S, R>,
    mapping: &Mapping,
) -> Result<Vec<Concerned>, Failure> {
    let doing = session.doing("read who owns the objects of the database");
    let rows = doing.query(include_str!("owners.sql"), &[]).await?;
    let concerned = rows.iter().map(|row| Concerned {
        role: mapping.role(row.get("role")).to_owned(),
        part: match (row.get("owns"), row.get::<_, &str>("what")) {
            (false, _) => Part::Grants,
            (true, "database") => Part::OwnsDatabase,
            (true, "initial") => Part::OwnsInitialSchema,
            (true, _) => Part::Owns,
        },
        object: row.get("object"),
        is_default_privileges: row.get::<_, &str>("what") == "default privileges",
    });
    let is_moved = |concerned: &Concerned| match concerned.part {
        Part::Grants => !mapping.no_privileges,
        // Default privileges belong to their role, whoever owns the objects.
        _ if concerned.is_default_privileges => !mapping.no_privileges,
        _ => !mapping.no_owner,
    };
    Ok(concerned.filter(is_moved).collect())
}

/// What pghaul's role can do about a membership in another role of the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// It is a member already, or a superuser, or the role itself.
    Member,
    /// It may make itself a member.
    Grantable,
    /// It may not, since the other role is a superuser.
    Superuser,
    /// It may not.
    Foreign,
}

/// The roles of the target, and what pghaul's role can do about a membership in each.
///
/// # Errors
/// When the server can't be asked.
pub async fn reach<R: Right>(target: &Session<Target, R>) -> Result<BTreeMap<String, Reach>, Failure> {
    let doing = target.doing("read which roles pghaul's role can act as");
    reach_now(&doing, target.server_version()).await
}

/// As [`reach`], as an open transaction sees it.
///
/// # Errors
/// When the server can't be asked.
pub async fn reach_now<R: Right>(
    doing: &Doing<'_, R>,
    server_version: u32,
) -> Result<BTreeMap<String, Reach>, Failure> {
    let sql = match server_version {
        HAS_OPTIONS.. => include_str!("reach.sql"),
        _ => include_str!("reach_15.sql"),
    };
    let rows = doing.query(sql, &[]).await?;
    let reach = rows.iter().map(|row| {
        let (member, grantable, superuser) = (row.get("member"), row.get("grantable"), row.get("rolsuper"));
        let reach = match (member, grantable, superuser) {
            (true, _, _) => Reach::Member,
            (_, true, _) => Reach::Grantable,
            (_, _, true) => Reach::Superuser,
            _ => Reach::Foreign,
        };
        (row.get("rolname"), reach)
    });
    Ok(reach.collect())
}
