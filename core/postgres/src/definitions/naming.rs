//! How definitions name roles and the database, so that those of both sides can be compared: by the names of the target, and
//! without what the user does not want to be moved.
//!
//! The statements have placeholders: `{role:OID}` is the name of a role, `{owner:OID}` that of an owner, `{rights:ACL:OWNER}` a list
//! of privileges, `{database:NAME}` the name of the database.

use crate::quote::{QuoteError, literal};
use pghaul_core::{Mapping, Side};

/// Replaces the placeholders.
pub(super) fn named(sql: &str, mapping: &Mapping, side: Side) -> Result<String, QuoteError> {
    let renames = side == Side::Source;
    let mut named = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some((before, after)) = rest.split_once('{') {
        named.push_str(before);
        let (placeholder, after) = after.split_once('}').unwrap_or((after, ""));
        let (kind, argument) = placeholder.split_once(':').unwrap_or((placeholder, ""));
        match kind {
            "role" => named.push_str(&role(argument, mapping, renames)?),
            "owner" if mapping.no_owner => named.push_str("NULL"),
            "owner" => named.push_str(&role(argument, mapping, renames)?),
            "rights" => {
                let (acl, owner) = argument.rsplit_once(':').unwrap_or((argument, "NULL"));
                named.push_str(&rights(acl, owner, mapping, renames)?);
            }
            "database" => named.push_str(&database(argument, mapping, renames)?),
            _ => named.push_str(&format!("{{{placeholder}}}")),
        }
        rest = after;
    }
    named.push_str(rest);
    Ok(named)
}

fn role(oid: &str, mapping: &Mapping, renames: bool) -> Result<String, QuoteError> {
    let name = format!("pg_catalog.pg_get_userbyid({oid})::pg_catalog.text");
    if !renames || !mapping.maps_roles() {
        return Ok(name);
    }
    let mut case = format!("CASE {name}");
    for (old, new) in &mapping.roles {
        case.push_str(&format!(" WHEN {} THEN {}", literal(old)?, literal(new)?));
    }
    let other = match &mapping.other_roles {
        None => name,
        Some(other) => format!(
            "CASE WHEN {name} ~ '^pg_' THEN {name} ELSE {} END",
            literal(other)?
        ),
    };
    Ok(format!("({case} ELSE {other} END)"))
}

fn rights(acl: &str, owner: &str, mapping: &Mapping, renames: bool) -> Result<String, QuoteError> {
    if mapping.no_privileges {
        return Ok("NULL::pg_catalog.text".to_owned());
    }
    if !mapping.no_owner && !mapping.maps_roles() {
        // From PostgreSQL 17 on an owner has MAINTAIN as well.
        let item = r"pg_catalog.regexp_replace(a::pg_catalog.text, '^(.*)=(.*)m[*]?/\1$', '\1=\2/\1')";
        return Ok(format!(
            "(SELECT pg_catalog.string_agg({item}, ',' ORDER BY a::pg_catalog.text COLLATE \"C\") \
             FROM pg_catalog.unnest({acl}) a)"
        ));
    }
    let grantee = role("a.grantee", mapping, renames)?;
    let (grantor, others) = match mapping.no_owner {
        true => (
            "NULL".to_owned(),
            format!("a.grantee IS DISTINCT FROM ({owner})::pg_catalog.oid"),
        ),
        false => (
            role("a.grantor", mapping, renames)?,
            format!(
                "(a.privilege_type <> 'MAINTAIN' OR a.grantee IS DISTINCT FROM ({owner})::pg_catalog.oid)"
            ),
        ),
    };
    let right = format!(
        "pg_catalog.concat_ws(' ', CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE {grantee} END, a.privilege_type, a.is_grantable, {grantor})"
    );
    Ok(format!(
        "(SELECT pg_catalog.string_agg(DISTINCT {right} COLLATE \"C\", ',') FROM pg_catalog.aclexplode({acl}) a WHERE {others})"
    ))
}

fn database(name: &str, mapping: &Mapping, renames: bool) -> Result<String, QuoteError> {
    if !renames || mapping.databases.is_empty() {
        return Ok(name.to_owned());
    }
    let mut case = format!("(CASE {name}");
    for (old, new) in &mapping.databases {
        let (old, new) = (literal(old.as_str())?, literal(new.as_str())?);
        case.push_str(&format!(" WHEN {old} THEN {new}"));
    }
    Ok(format!("{case} ELSE {name} END)"))
}
