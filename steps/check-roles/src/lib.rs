//! The check `roles`: do the source's roles arrive as they are?
//!
//! The step `roles` creates those that the target lacks, and never alters one that is there: what of these differs is
//! found, and left to the user.
//!
//! - `difference`: what a role is on one server and not on the other
//! - `mapped`: what `--map-role`, `--no-owner` and `--no-privileges` come to
//! - `role`: a role of the source, and what the target does with it
//! - [`RoleProblem`]: what is found

mod difference;
mod mapped;
mod problem;
mod role;

pub use problem::RoleProblem;

use difference::Traits;
use pghaul_step::postgres::{ReadOnly, Session, Target};
use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Cluster, Failure, Finding, FindingKind, Registry, Subject,
    async_trait,
};
use role::{Giver, Hash, Role};
use std::collections::BTreeSet;

/// Adds the check of this package.
pub fn register(registry: Registry) -> Registry {
    registry.with_cluster_check(Roles)
}

/// From this version on servers encrypt passwords with SCRAM unless told otherwise, and many accept nothing else.
const SCRAM_BY_DEFAULT: u32 = 140_000;

/// The list of roles that Aiven's gatekeeper lets be superusers.
const GATEKEEPER: &str = "aiven.pg_security_agent_reserved_roles";

/// The check `roles`.
#[derive(Debug, Clone, Copy)]
pub struct Roles;

#[async_trait]
impl Check for Roles {
    type Scope = Cluster;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "roles",
            summary: "roles and their passwords arrive as they are",
            after: &["connection"],
        }
    }

    async fn examine(&self, ctx: &CheckContext<Cluster>) -> Result<Vec<Finding>, Failure> {
        let source = ctx.source().await?;
        let mapping = ctx.landscape().mapping();
        let (mut roles, readable) = role::read(&source).await?;
        roles.retain(|role| ctx.landscape().selection.holds_role(&role.name));
        let reader = source.role().await?.name;
        let traits = Traits::read(&source).await?.renamed(mapping)?;
        let target = ctx.target().await?;
        let there = names(&target).await?;
        let giver = Giver::of(&target).await?;
        let mut found = mapped::judge(mapping, &roles, &there, &target.role().await?.name);
        let (roles, without_password) = mapped::renamed(mapping, roles);
        let selection = &ctx.landscape().selection;
        let is_of_provider = |name: &str| role::is_of_provider(name) || selection.is_role_of_provider(name);
        let missing: Vec<&Role> = roles
            .iter()
            .filter(|role| !there.contains(&role.name) && !is_of_provider(&role.name))
            .collect();
        let without_password = without_password.into_iter().filter(|role| !there.contains(role));
        found.extend(listed(without_password.collect(), |roles| {
            RoleProblem::PasswordsOfOldNames { roles }
        }));
        found.extend(reserved(&missing));
        found.extend(refused(&missing, &giver, target.setting(GATEKEEPER).await?));
        found.extend(weakened(&missing, &giver));
        found.extend(passwords(&missing, readable, reader, target.server_version()));
        found.extend(different(&traits, &Traits::read(&target).await?));
        Ok(found
            .iter()
            .map(|problem| problem.about("roles", Subject::Cluster))
            .collect())
    }
}

async fn names(target: &Session<Target, ReadOnly>) -> Result<BTreeSet<String>, Failure> {
    let sql = "SELECT rolname::text FROM pg_catalog.pg_roles";
    let rows = target.doing("list the roles").query(sql, &[]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// A list that is a finding unless it is empty.
fn listed(names: Vec<String>, found: impl FnOnce(Vec<String>) -> RoleProblem) -> Option<RoleProblem> {
    (!names.is_empty()).then(|| found(names))
}

fn chosen(roles: &[&Role], choose: impl Fn(&Role) -> bool) -> Vec<String> {
    let those = roles.iter().filter(|role| choose(role));
    those.map(|role| role.name.clone()).collect()
}

fn reserved(missing: &[&Role]) -> Option<RoleProblem> {
    let roles = chosen(missing, |role| role.reserved);
    listed(roles, |roles| RoleProblem::ReservedNames { roles })
}

/// Superusers that may not be superusers there, whoever asks.
fn refused(missing: &[&Role], giver: &Giver, allowed: Option<String>) -> Option<RoleProblem> {
    let allowed: Vec<String> = allowed?.split(',').map(|name| name.trim().to_owned()).collect();
    if !giver.superuser {
        return None;
    }
    let roles = chosen(missing, |role| role.superuser && !allowed.contains(&role.name));
    listed(roles, |roles| RoleProblem::SuperusersRefused { roles, allowed })
}

/// Roles that lose attributes, because ours can't give them.
fn weakened(missing: &[&Role], giver: &Giver) -> Option<RoleProblem> {
    let lost = missing.iter().filter(|role| !role.reserved).filter_map(|role| {
        let attributes = giver.cannot_give(role);
        (!attributes.is_empty())
            .then(|| format!("{} ({})", pghaul_step::quoted(&role.name), attributes.join(", ")))
    });
    listed(lost.collect(), |roles| RoleProblem::AttributesLost { roles })
}

fn passwords(missing: &[&Role], readable: bool, reader: String, target_version: u32) -> Vec<RoleProblem> {
    if !readable {
        let roles = chosen(missing, |role| role.can_login);
        return listed(roles, |roles| RoleProblem::PasswordsHidden { roles, reader })
            .into_iter()
            .collect();
    }
    let md5 = match target_version >= SCRAM_BY_DEFAULT {
        true => chosen(missing, |role| role.hash == Some(Hash::Md5) && role.can_login),
        false => Vec::new(),
    };
    let unknown = chosen(missing, |role| role.hash == Some(Hash::Unknown));
    let found = [
        listed(md5, |roles| RoleProblem::Md5Passwords { roles }),
        listed(unknown, |roles| RoleProblem::UnknownPasswords { roles }),
    ];
    found.into_iter().flatten().collect()
}

/// What the step `roles` leaves as it is on the target.
fn different(source: &Traits, target: &Traits) -> Vec<RoleProblem> {
    let roles = source.differing(target).into_iter();
    let roles = roles
        .filter(|(name, _)| !role::is_of_provider(name))
        .map(|(name, traits)| format!("{} ({})", pghaul_step::quoted(&name), traits.join(", ")));
    let found = [
        listed(roles.collect(), |roles| RoleProblem::RolesDiffer { roles }),
        listed(source.settings_of_all(target), |settings| {
            RoleProblem::SettingsOfAllRoles { settings }
        }),
    ];
    found.into_iter().flatten().collect()
}
