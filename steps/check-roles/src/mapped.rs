//! What `--map-role`, `--no-owner` and `--no-privileges` come to.

use crate::listed;
use crate::problem::RoleProblem;
use crate::role::{Hash, Role};
use pghaul_step::{Mapping, quoted};
use std::collections::{BTreeMap, BTreeSet};

/// What the options say of the source's roles, given the names of the target's and pghaul's role there.
pub(crate) fn judge(
    mapping: &Mapping,
    roles: &[Role],
    there: &BTreeSet<String>,
    pghauls: &str,
) -> Vec<RoleProblem> {
    let names: BTreeSet<&String> = roles.iter().map(|role| &role.name).collect();
    let missing = mapping.roles.keys().filter(|old| !names.contains(old));
    let mapped: Vec<(&str, &str)> = roles
        .iter()
        .map(|role| (role.name.as_str(), mapping.role(&role.name)))
        .filter(|(old, new)| old != new)
        .collect();
    let shown = mapped.iter().map(|(old, new)| {
        let origin = match there.contains(*new) || names.iter().any(|name| name.as_str() == *new) {
            true => String::new(),
            false => format!(", created as a copy of {}", quoted(old)),
        };
        format!("{} → {}{origin}", quoted(old), quoted(new))
    });
    let shown: Vec<String> = shown.collect();
    let owners = mapping.no_owner.then(|| RoleProblem::OwnersLeftOut {
        role: pghauls.to_owned(),
    });
    let found = [
        listed(missing.cloned().collect(), |roles| {
            RoleProblem::MappedRolesMissing { roles }
        }),
        listed(nobody(mapping, roles, there), |roles| {
            RoleProblem::MappedToNobody { roles }
        }),
        listed(shown, |roles| RoleProblem::RolesMapped { roles }),
        owners,
        mapping.no_privileges.then_some(RoleProblem::PrivilegesLeftOut),
    ];
    found.into_iter().flatten().collect()
}

/// The roles that the target lacks, and that are to take the place of more than one of the source's.
fn nobody(mapping: &Mapping, roles: &[Role], there: &BTreeSet<String>) -> Vec<String> {
    let mut sources: BTreeMap<&str, usize> = BTreeMap::new();
    for role in roles {
        let new = mapping.role(&role.name);
        if !there.contains(new) {
            *sources.entry(new).or_default() += 1;
        }
    }
    // A role that keeps its name is the one that is created.
    let keeps = |new: &str| {
        roles
            .iter()
            .any(|role| role.name == new && mapping.role(new) == new)
    };
    let several = sources
        .into_iter()
        .filter(|(new, count)| *count > 1 && !keeps(new));
    several.map(|(new, _)| new.to_owned()).collect()
}

/// The roles as the target is to have them. The second list are those whose password does not fit their new name.
pub(crate) fn renamed(mapping: &Mapping, roles: Vec<Role>) -> (Vec<Role>, Vec<String>) {
    let keeps_name = |role: &Role| mapping.role(&role.name) == role.name;
    let (keeping, others): (Vec<Role>, Vec<Role>) = roles.into_iter().partition(keeps_name);
    let mut names = BTreeSet::new();
    let mut without_password = Vec::new();
    let mut renamed = Vec::new();
    for mut role in keeping.into_iter().chain(others) {
        let name = mapping.role(&role.name).to_owned();
        if name != role.name && role.hash == Some(Hash::Md5) {
            role.hash = None;
            without_password.extend(role.can_login.then(|| name.clone()));
        }
        role.reserved &= name == role.name;
        role.name = name;
        if names.insert(role.name.clone()) {
            renamed.push(role);
        }
    }
    (renamed, without_password)
}
