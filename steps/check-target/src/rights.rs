//! The check `target-rights`.

use pghaul_step::postgres::{ReadOnly, Right, Session, SideMarker, Source, Target};
use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Cluster, Failure, Finding, FindingKind, Subject, async_trait,
    listed, quoted,
};
use serde::Serialize;
use std::collections::BTreeSet;

/// What we can't do on the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum MissingRight {
    /// The target is a standby.
    TargetIsStandby,
    /// pghaul's role may not create databases, and some are missing.
    CannotCreateDatabases {
        /// pghaul's role.
        role: String,
        /// The databases that would have to be created.
        databases: Vec<String>,
    },
    /// pghaul's role may not create roles, and some are missing.
    CannotCreateRoles {
        /// pghaul's role.
        role: String,
        /// The roles that would have to be created.
        roles: Vec<String>,
    },
}

impl FindingKind for MissingRight {
    fn message(&self) -> String {
        match self {
            Self::TargetIsStandby => "the target is a standby, which takes no writes".to_owned(),
            Self::CannotCreateDatabases { role, databases } => {
                format!(
                    "role {} may not create databases on the target: {}",
                    quoted(role),
                    listed(databases)
                )
            }
            Self::CannotCreateRoles { role, roles } => format!(
                "role {} may not create roles on the target, and these of the source are missing: {}",
                quoted(role),
                listed(roles)
            ),
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::TargetIsStandby => {
                "give the primary, or promote the standby: SELECT pg_promote();".to_owned()
            }
            Self::CannotCreateDatabases { role, databases } => {
                format!(
                    "ALTER ROLE {} CREATEDB; or: {}",
                    quoted(role),
                    each("CREATE DATABASE", databases, &format!(" OWNER {}", quoted(role)))
                )
            }
            Self::CannotCreateRoles { role, roles } => {
                format!(
                    "ALTER ROLE {} CREATEROLE; or: {}",
                    quoted(role),
                    each("CREATE ROLE", roles, "")
                )
            }
        })
    }
}

fn each(command: &str, names: &[String], options: &str) -> String {
    names
        .iter()
        .map(|name| format!("{command} {}{options};", quoted(name)))
        .collect::<Vec<_>>()
        .join(" ")
}

/// The check `target-rights`: may pghaul's role create what is missing?
#[derive(Debug, Clone, Copy)]
pub struct TargetRights;

#[async_trait]
impl Check for TargetRights {
    type Scope = Cluster;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "target-rights",
            summary: "pghaul's role may create the databases and roles that the target lacks",
            after: &["connection"],
        }
    }

    async fn examine(&self, ctx: &CheckContext<Cluster>) -> Result<Vec<Finding>, Failure> {
        let target = ctx.target().await?;
        let finding = |missing: MissingRight| missing.about("target-rights", Subject::Cluster);
        if target.is_standby().await? {
            return Ok(vec![finding(MissingRight::TargetIsStandby)]);
        }
        let role = target.role().await?;
        let mut findings = Vec::new();
        if !role.superuser && !role.create_database {
            let databases = missing_databases(ctx, &target).await?;
            if !databases.is_empty() {
                findings.push(finding(MissingRight::CannotCreateDatabases {
                    role: role.name.clone(),
                    databases,
                }));
            }
        }
        if !role.superuser && !role.create_role {
            let source = ctx.source().await?;
            let roles = missing_roles(ctx, &source, &target).await?;
            if !roles.is_empty() {
                findings.push(finding(MissingRight::CannotCreateRoles {
                    role: role.name,
                    roles,
                }));
            }
        }
        Ok(findings)
    }
}

async fn missing_databases(
    ctx: &CheckContext<Cluster>,
    target: &Session<Target, ReadOnly>,
) -> Result<Vec<String>, Failure> {
    let there = names(target, "SELECT datname::text FROM pg_catalog.pg_database").await?;
    let selected = ctx
        .landscape()
        .selected_on_target()
        .map(|database| database.as_str().to_owned());
    Ok(selected.filter(|database| !there.contains(database)).collect())
}

async fn missing_roles(
    ctx: &CheckContext<Cluster>,
    source: &Session<Source, ReadOnly>,
    target: &Session<Target, ReadOnly>,
) -> Result<Vec<String>, Failure> {
    let sql = "SELECT rolname::text FROM pg_catalog.pg_roles WHERE rolname !~ '^pg_'";
    let (on_source, on_target) = (names(source, sql).await?, names(target, sql).await?);
    let mapping = ctx.landscape().mapping();
    let wanted: BTreeSet<&str> = on_source.iter().map(|role| mapping.role(role)).collect();
    let missing = wanted.into_iter().filter(|role| !on_target.contains(*role));
    Ok(missing.map(str::to_owned).collect())
}

async fn names<S: SideMarker, R: Right>(
    session: &Session<S, R>,
    sql: &str,
) -> Result<BTreeSet<String>, Failure> {
    let rows = session.doing("list what is there").query(sql, &[]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
