//! Memberships that pghaul's role on the target can't grant.

use crate::RoleProblem;
use crate::difference::Traits;
use pghaul_step::Failure;
use pghaul_step::owners::HAS_OPTIONS;
use pghaul_step::postgres::{Ident, QuoteError, ReadOnly, Session, Target};
use std::collections::{BTreeMap, BTreeSet};

/// Of the roles that are created, those that are members of a role of the target that takes no new members from pghaul's role.
pub(crate) async fn refused(
    traits: &Traits,
    created: &BTreeSet<&str>,
    there: &BTreeSet<String>,
    target: &Session<Target, ReadOnly>,
) -> Result<Option<RoleProblem>, Failure> {
    let sql = include_str!("grantable.sql");
    // Before, CREATEROLE was enough for every role but superusers.
    let create_role_grants = target.server_version() < HAS_OPTIONS;
    let doing = target.doing("see which memberships pghaul's role can grant");
    let rows = doing.query(sql, &[&create_role_grants]).await?;
    let roles: BTreeMap<String, bool> = rows
        .iter()
        .map(|row| (row.get("rolname"), row.get("grantable")))
        .collect();
    let refused = traits.memberships().filter(|(member, role)| {
        created.contains(member) && there.contains(*role) && roles.get(*role) != Some(&true)
    });
    let quoted = |name: &str| Ok::<_, QuoteError>(Ident::new(name)?.short());
    let mut memberships = Vec::new();
    let mut to_administer = BTreeSet::new();
    for (member, role) in refused {
        memberships.push(format!("{} in {}", quoted(member)?, quoted(role)?));
        if roles.contains_key(role) {
            to_administer.insert(quoted(role)?);
        }
    }
    let grantor = target.role().await?.name;
    Ok(
        (!memberships.is_empty()).then(|| RoleProblem::MembershipsRefused {
            memberships,
            roles: to_administer.into_iter().collect(),
            grantor,
        }),
    )
}
