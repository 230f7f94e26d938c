//! Who is a member of whom.

use crate::lent;
use crate::piece::{Piece, What};
use pghaul_step::owners::{HAS_OPTIONS, Reach};
use pghaul_step::postgres::{Ident, QuoteError, Right, Session, SideMarker};
use pghaul_step::{Failure, Mapping};
use std::collections::{BTreeMap, BTreeSet};

/// A membership.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Membership {
    pub(crate) role: String,
    pub(crate) member: String,
    pub(crate) admin: bool,
    /// INHERIT and SET, where the server has them.
    pub(crate) options: Option<(bool, bool)>,
    /// Who granted it, where that matters and is not the bootstrap superuser.
    pub(crate) grantor: Option<String>,
}

/// Reads all memberships, by name.
pub(crate) async fn read<S: SideMarker, R: Right>(
    server: &Session<S, R>,
) -> Result<Vec<Membership>, Failure> {
    let (inherit, set, grantor) = match server.server_version() {
        HAS_OPTIONS.. => (
            "m.inherit_option",
            "m.set_option",
            "CASE m.grantor WHEN 10 THEN NULL ELSE pg_catalog.pg_get_userbyid(m.grantor)::text END",
        ),
        _ => ("NULL::boolean", "NULL::boolean", "NULL::text"),
    };
    let sql = include_str!("memberships.sql")
        .replace("{inherit}", inherit)
        .replace("{set}", set)
        .replace("{grantor}", grantor);
    let rows = server
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
            grantor: row.get("grantor"),
        }
    };
    Ok(rows.iter().map(membership).collect())
}

/// The memberships as they are on the target. What two roles that become one were to each other is nothing any more.
pub(crate) fn renamed(memberships: Vec<Membership>, mapping: &Mapping) -> Vec<Membership> {
    let mut renamed: Vec<Membership> = Vec::new();
    for membership in memberships {
        let membership = membership.renamed(mapping);
        let known = renamed
            .iter_mut()
            .find(|known| known.is_between_those_of(&membership));
        match known {
            _ if membership.role == membership.member => {}
            Some(known) => known.admin |= membership.admin,
            None => renamed.push(membership),
        }
    }
    renamed
}

impl Membership {
    fn renamed(self, mapping: &Mapping) -> Self {
        let on_target = |name: String| mapping.role(&name).to_owned();
        Self {
            role: on_target(self.role),
            member: on_target(self.member),
            grantor: self.grantor.map(on_target),
            ..self
        }
    }

    fn is_between_those_of(&self, other: &Self) -> bool {
        (&self.role, &self.member, &self.grantor) == (&other.role, &other.member, &other.grantor)
    }

    /// Whether one of these roles is in it. Memberships between others are the target's own affair.
    pub(crate) fn concerns(&self, roles: &BTreeSet<String>) -> bool {
        roles.contains(&self.role) || roles.contains(&self.member)
    }

    /// The roles that it names.
    pub(crate) fn roles(&self) -> impl Iterator<Item = &str> {
        let grantor = self.grantor.as_deref();
        [self.role.as_str(), &self.member].into_iter().chain(grantor)
    }

    pub(crate) fn piece(&self) -> Result<Piece, QuoteError> {
        let [role, member] = [&self.role, &self.member].map(Ident::new);
        Ok(Piece {
            what: What::Membership {
                role: self.role.clone(),
            },
            object: format!("membership of role {} in {}", member?.short(), role?.short()),
            statement: self.statement()?,
        })
    }

    /// The statements that grant it, where pghaul's role has to be a member of the grantor meanwhile.
    pub(crate) fn acting(
        &self,
        reach: &BTreeMap<String, Reach>,
        target_version: u32,
    ) -> Result<String, QuoteError> {
        let statement = self.statement()?;
        let grantor = self.grantor.as_deref();
        match grantor.filter(|_| target_version >= HAS_OPTIONS) {
            Some(grantor) if reach.get(grantor) == Some(&Reach::Grantable) => {
                lent::during(grantor, &statement)
            }
            _ => Ok(statement),
        }
    }

    fn statement(&self) -> Result<String, QuoteError> {
        let grant = format!(
            "GRANT {} TO {}",
            Ident::new(&self.role)?,
            Ident::new(&self.member)?
        );
        Ok(match self.options {
            Some((inherit, set)) => {
                let by = match &self.grantor {
                    Some(grantor) => format!(" GRANTED BY {}", Ident::new(grantor)?),
                    None => String::new(),
                };
                format!(
                    "{grant} WITH ADMIN {}, INHERIT {inherit}, SET {set}{by}",
                    self.admin
                )
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
    fn a_role_is_no_member_of_itself() {
        let membership = |role: &str, member: &str, admin| Membership {
            role: role.into(),
            member: member.into(),
            admin,
            options: None,
            grantor: None,
        };
        let mapping = Mapping {
            roles: [("a".to_owned(), "x".to_owned()), ("b".to_owned(), "x".to_owned())].into(),
            ..Mapping::default()
        };
        let before = vec![
            membership("a", "b", true),
            membership("a", "c", false),
            membership("b", "c", true),
        ];
        assert_eq!(renamed(before, &mapping), [membership("x", "c", true)]);
    }

    #[test]
    fn options_are_said_only_where_the_source_has_them() {
        let old = Membership {
            role: "a".into(),
            member: "b".into(),
            admin: true,
            options: None,
            grantor: None,
        };
        assert_eq!(old.statement().unwrap(), "GRANT \"a\" TO \"b\" WITH ADMIN OPTION");
        let new = Membership {
            admin: false,
            options: Some((true, false)),
            grantor: Some("c".into()),
            ..old
        };
        assert_eq!(
            new.statement().unwrap(),
            "GRANT \"a\" TO \"b\" WITH ADMIN false, INHERIT true, SET false GRANTED BY \"c\""
        );
    }
}
