//! Who is a member of whom.

use pghaul_step::Failure;
use pghaul_step::postgres::{Ident, QuoteError, ReadOnly, Session, Source};
use std::collections::BTreeSet;

/// The first version whose memberships have the options INHERIT and SET.
const HAS_OPTIONS: u32 = 160_000;

/// A membership on the source, whoever granted it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Membership {
    pub(crate) role: String,
    pub(crate) member: String,
    pub(crate) admin: bool,
    /// INHERIT and SET, where the source has them.
    pub(crate) options: Option<(bool, bool)>,
}

/// Reads all memberships, by name.
pub(crate) async fn read(source: &Session<Source, ReadOnly>) -> Result<Vec<Membership>, Failure> {
    let (inherit, set) = match source.server_version() {
        HAS_OPTIONS.. => ("m.inherit_option", "m.set_option"),
        _ => ("NULL::boolean", "NULL::boolean"),
    };
    let sql = include_str!("memberships.sql")
        .replace("{inherit}", inherit)
        .replace("{set}", set);
    let rows = source
        .doing("read the memberships of roles")
        .query(&sql, &[])
        .await?;
    let membership = |row: &pghaul_step::postgres::Row| {
        let (inherit, set): (Option<bool>, Option<bool>) = (row.get("inherit"), row.get("set"));
        Membership {
            role: row.get("role"),
            member: row.get("member"),
            admin: row.get("admin"),
            options: inherit.zip(set),
        }
    };
    Ok(rows.iter().map(membership).collect())
}

impl Membership {
    /// Whether one of these roles is in it. Memberships between others are the target's own affair.
    pub(crate) fn concerns(&self, roles: &BTreeSet<String>) -> bool {
        roles.contains(&self.role) || roles.contains(&self.member)
    }

    pub(crate) fn statement(&self) -> Result<String, QuoteError> {
        let grant = format!(
            "GRANT {} TO {}",
            Ident::new(&self.role)?,
            Ident::new(&self.member)?
        );
        Ok(match self.options {
            Some((inherit, set)) => {
                format!("{grant} WITH ADMIN {}, INHERIT {inherit}, SET {set}", self.admin)
            }
            None if self.admin => format!("{grant} WITH ADMIN OPTION"),
            None => grant,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_said_only_where_the_source_has_them() {
        let old = Membership {
            role: "a".into(),
            member: "b".into(),
            admin: true,
            options: None,
        };
        assert_eq!(old.statement().unwrap(), "GRANT \"a\" TO \"b\" WITH ADMIN OPTION");
        let new = Membership {
            admin: false,
            options: Some((true, false)),
            ..old
        };
        assert_eq!(
            new.statement().unwrap(),
            "GRANT \"a\" TO \"b\" WITH ADMIN false, INHERIT true, SET false"
        );
    }
}
