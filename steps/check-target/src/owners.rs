//! The check `owners`.

use crate::each;
use pghaul_step::owners::{Concerned, HAS_OPTIONS, Part, Reach, concerned, reach};
use pghaul_step::postgres::{ReadOnly, Right, Row, Session, SideMarker, Target};
use pghaul_step::renaming::renamed;
use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Database, DatabaseName, Failure, Finding, FindingKind, Mapping,
    Severity, async_trait, map_role, quoted,
};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// An owner or a grantor that pghaul's role on the target can't act as, or a schema `public` that it can't change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum OwnerProblem {
    /// Objects can't be given to their owner.
    OwnerOutOfReach {
        /// The owner.
        role: String,
        /// pghaul's role on the target.
        by: String,
        /// Whether the owner is a superuser on the target.
        superuser: bool,
        /// Whether a membership there has the options INHERIT and SET.
        options: bool,
        /// The objects.
        objects: Vec<String>,
    },
    /// The database itself can't be given to its owner.
    DatabaseOwnerOutOfReach {
        /// The owner.
        role: String,
        /// pghaul's role on the target.
        by: String,
        /// The database, as the target names it.
        #[serde(skip)]
        database: String,
    },
    /// Rights on objects can't be granted by the role that has granted them on the source.
    GrantorOutOfReach {
        /// The grantor.
        role: String,
        /// pghaul's role on the target.
        by: String,
        /// Whether the grantor is a superuser on the target.
        #[serde(skip)]
        superuser: bool,
        /// Whether a membership there has the options INHERIT and SET.
        options: bool,
        /// The objects.
        objects: Vec<String>,
    },
    /// pghaul's role does not have the rights of the roles that it is a member of.
    RoleDoesNotInherit {
        /// pghaul's role on the target.
        by: String,
    },
    /// The schema `public` of the target belongs to another role, and its rights differ from the source's.
    PublicRightsFixed {
        /// The rights of others than the owner on the source, as `RIGHT to ROLE`.
        source: Vec<String>,
        /// Those on the target.
        target: Vec<String>,
    },
    /// The source has no schema `public`, and that of the target can't be dropped.
    PublicStays,
    /// Rights on members of extensions that a superuser owns on the target.
    ExtensionRightsFixed {
        /// pghaul's role on the target.
        by: String,
        /// The members.
        objects: Vec<String>,
    },
}

impl FindingKind for OwnerProblem {
    fn severity(&self) -> Severity {
        match self {
            Self::DatabaseOwnerOutOfReach { .. } | Self::ExtensionRightsFixed { .. } => Severity::Warning,
            _ => Severity::Error,
        }
    }

    fn message(&self) -> String {
        match self {
            Self::OwnerOutOfReach {
                role,
                by,
                superuser,
                objects,
                ..
            } => format!(
                "role {} on the target can't make role {}{} the owner of its objects ({}): {}",
                quoted(by),
                quoted(role),
                if *superuser { ", a superuser there," } else { "" },
                objects.len(),
                each(objects)
            ),
            Self::DatabaseOwnerOutOfReach { role, by, .. } => format!(
                "role {0} on the target can't make role {1} the owner of the database: it will belong to role {0}",
                quoted(by),
                quoted(role),
            ),
            Self::GrantorOutOfReach { role, by, objects, .. } => format!(
                "role {} on the target can't grant rights in the name of role {}, which has granted rights on the source \
                 on ({}): {}",
                quoted(by),
                quoted(role),
                objects.len(),
                each(objects)
            ),
            Self::RoleDoesNotInherit { by } => format!(
                "role {} on the target is NOINHERIT: it can't build and fill what belongs to other roles",
                quoted(by)
            ),
            Self::PublicRightsFixed { source, target } => format!(
                "the schema public of the target belongs to a superuser: rights on it stay as they are there ({}), not as \
                 on the source ({})",
                all_or_none(target),
                all_or_none(source)
            ),
            Self::ExtensionRightsFixed { by, objects } => format!(
                "role {} on the target can't change rights on these members of extensions, which belong to a superuser there: they \
                 keep those that the extension gives them ({}): {}",
                quoted(by),
                objects.len(),
                each(objects)
            ),
            Self::PublicStays => {
                "the source has no schema public; that of the target belongs to a superuser and can't be dropped".to_owned()
            }
        }
    }

    fn hint(&self) -> Option<String> {
        let member = |role: &str, by: &str, options: bool| {
            let with = if options {
                " WITH INHERIT TRUE, SET TRUE"
            } else {
                ""
            };
            format!("GRANT {} TO {}{with};", quoted(role), quoted(by))
        };
        let accept = "or accept with --accept owners that";
        Some(match self {
            Self::OwnerOutOfReach {
                role,
                by,
                superuser: false,
                options,
                ..
            } => format!(
                "as an administrator of the target: {} {accept} they belong to role {}",
                member(role, by, *options),
                quoted(by)
            ),
            Self::OwnerOutOfReach { role, by, .. } => format!(
                "connect to the target as a superuser; {accept} they belong to role {}; or let that role take the place of {} \
                 everywhere: {}; or give them to another role on the source, with ALTER … OWNER TO",
                quoted(by),
                quoted(role),
                map_role(role, by)
            ),
            Self::DatabaseOwnerOutOfReach { role, database, .. } => {
                format!(
                    "afterwards, as a superuser of the target: ALTER DATABASE {} OWNER TO {};",
                    quoted(database),
                    quoted(role)
                )
            }
            Self::GrantorOutOfReach { superuser: true, .. } => {
                format!("connect to the target as a superuser; {accept} these rights are missing")
            }
            Self::GrantorOutOfReach {
                role, by, options, ..
            } => format!(
                "as an administrator of the target: {} {accept} these rights are missing",
                member(role, by, *options)
            ),
            Self::RoleDoesNotInherit { by } => format!("on the target: ALTER ROLE {} INHERIT;", quoted(by)),
            Self::ExtensionRightsFixed { .. } => {
                "afterwards, as a superuser of the target: grant and revoke what the source has granted and revoked".to_owned()
            }
            Self::PublicRightsFixed { .. } => format!(
                "create the database on the target beforehand, and grant and revoke these rights in it as a superuser; {accept} \
                 they differ"
            ),
            Self::PublicStays => format!(
                "create the database on the target beforehand, and in it as a superuser: DROP SCHEMA public; {accept} it stays"
            ),
        })
    }
}

fn all_or_none(rights: &[String]) -> String {
    match rights {
        [] => "none".to_owned(),
        _ => rights.join(", "),
    }
}

/// The check `owners`: does every object get its owner, and every right its grantor?
#[derive(Debug, Clone, Copy)]
pub struct Owners;

#[async_trait]
impl Check for Owners {
    type Scope = Database;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "owners",
            summary: "every object gets its owner, and every right its grantor",
            after: super::AFTER,
        }
    }

    async fn examine(&self, ctx: &CheckContext<Database>) -> Result<Vec<Finding>, Failure> {
        let target = ctx.target().await?;
        let role = target.role().await?;
        if role.superuser {
            return Ok(Vec::new());
        }
        let role_name = role.name.clone();
        let source = ctx.source().await?;
        let concerned = concerned(&*source, ctx.landscape().mapping()).await?;
        let reach = reach(&target).await?;
        let version = target.server_version();
        let out_of_reach = |concerned: &&Concerned| {
            let reach = reach.get(&concerned.role);
            matches!(reach, Some(Reach::Superuser | Reach::Foreign))
        };
        let mut problems = Vec::new();
        let others = concerned.iter().any(|concerned| concerned.role != role.name);
        if version < HAS_OPTIONS && others && !inherits(&target).await? {
            problems.push(OwnerProblem::RoleDoesNotInherit { by: role.name });
        } else {
            let beyond: Vec<&Concerned> = concerned.iter().filter(out_of_reach).collect();
            let judged = judge(
                &beyond,
                &reach,
                &role.name,
                version >= HAS_OPTIONS,
                ctx.target_name(),
            );
            problems.extend(judged);
        }
        problems.extend(judge_public(ctx, &*source, &target).await?);
        problems.extend(judge_extensions(ctx, (&*source, &target), role_name).await?);
        let found = problems
            .iter()
            .map(|problem| problem.about("owners", super::database(ctx)));
        Ok(found.collect())
    }
}

/// What can't be given to its owner or granted by its grantor, by role.
fn judge(
    beyond: &[&Concerned],
    reach: &BTreeMap<String, Reach>,
    by: &str,
    options: bool,
    database: &DatabaseName,
) -> Vec<OwnerProblem> {
    let mut owned: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut granted: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut problems = Vec::new();
    for concerned in beyond {
        let object = concerned.object.clone();
        match concerned.part {
            // As in every database of that version: the target's own stays as it is there.
            Part::OwnsInitialSchema => {}
            Part::OwnsDatabase => problems.push(OwnerProblem::DatabaseOwnerOutOfReach {
                role: concerned.role.clone(),
                by: by.to_owned(),
                database: database.to_string(),
            }),
            Part::Owns => owned.entry(&concerned.role).or_default().push(object),
            Part::Grants => granted.entry(&concerned.role).or_default().push(object),
        }
    }
    problems.extend(
        owned
            .into_iter()
            .map(|(role, objects)| OwnerProblem::OwnerOutOfReach {
                superuser: reach.get(role) == Some(&Reach::Superuser),
                role: role.to_owned(),
                by: by.to_owned(),
                options,
                objects,
            }),
    );
    problems.extend(
        granted
            .into_iter()
            .map(|(role, objects)| OwnerProblem::GrantorOutOfReach {
                superuser: reach.get(role) == Some(&Reach::Superuser),
                role: role.to_owned(),
                by: by.to_owned(),
                options,
                objects,
            }),
    );
    problems
}

async fn inherits(target: &Session<Target, ReadOnly>) -> Result<bool, Failure> {
    let sql = "SELECT rolinherit FROM pg_catalog.pg_roles WHERE rolname = current_user";
    let doing = target.doing("read whether the role inherits");
    Ok(doing.query_one(sql, &[]).await?.get(0))
}

/// The first version in whose databases the schema `public` belongs to the owner of the database.
const PUBLIC_OF_DATABASE_OWNER: u32 = 150_000;

/// Whether the schema `public` can become what it is on the source.
async fn judge_public<S: SideMarker>(
    ctx: &CheckContext<Database>,
    source: &Session<S, ReadOnly>,
    target: &Session<Target, ReadOnly>,
) -> Result<Option<OwnerProblem>, Failure> {
    let there = match ctx.target_database().await? {
        Some(session) => public(&session)
            .await?
            .filter(|row| row.get("foreign_owner"))
            .map(|row| rights(&row)),
        None if target.server_version() >= PUBLIC_OF_DATABASE_OWNER => None,
        None => Some(
            ["CREATE", "USAGE"]
                .map(|right| format!("{right} to PUBLIC"))
                .to_vec(),
        ),
    };
    let Some(there) = there else { return Ok(None) };
    let mapping = ctx.landscape().mapping();
    Ok(match public(source).await? {
        None => Some(OwnerProblem::PublicStays),
        Some(_) if mapping.no_privileges => None,
        Some(row) => {
            let rights: BTreeSet<String> = rights(&row)
                .iter()
                .map(|right| on_target(right, mapping))
                .collect::<Result<_, _>>()?;
            let source: Vec<String> = rights.into_iter().collect();
            (source != there).then_some(OwnerProblem::PublicRightsFixed {
                source,
                target: there,
            })
        }
    })
}

/// Extensions that need a superuser belong to one, also where they are trusted: their members do.
const OF_SUPERUSERS: &str =
    "SELECT DISTINCT name::text FROM pg_catalog.pg_available_extension_versions WHERE superuser";

/// Rights on members of extensions that would stay as the extension makes them, which the server reports as a warning only.
async fn judge_extensions<S: SideMarker>(
    ctx: &CheckContext<Database>,
    (source, target): (&Session<S, ReadOnly>, &Session<Target, ReadOnly>),
    by: String,
) -> Result<Option<OwnerProblem>, Failure> {
    if ctx.landscape().mapping().no_privileges {
        return Ok(None);
    }
    let doing = source.doing("read the rights on members of extensions");
    let members = doing.query(include_str!("extension_rights.sql"), &[]).await?;
    if members.is_empty() {
        return Ok(None);
    }
    let rows = target
        .doing("list the extensions")
        .query(OF_SUPERUSERS, &[])
        .await?;
    let of_superusers: BTreeSet<String> = rows.iter().map(|row| row.get(0)).collect();
    let selected = ctx.selected().await?;
    let concerned = |extension: &String| {
        let is_selected = selected.as_ref().is_none_or(|s| s.holds_extension(extension));
        is_selected && of_superusers.contains(extension)
    };
    let members = members.iter().filter(|row| concerned(&row.get(0)));
    let objects: Vec<String> = members.map(|row| row.get(1)).collect();
    Ok((!objects.is_empty()).then_some(OwnerProblem::ExtensionRightsFixed { by, objects }))
}

/// A right as `public_rights.sql` writes it, with the grantee's name on the target.
fn on_target(right: &str, mapping: &Mapping) -> Result<String, Failure> {
    Ok(renamed(&format!("GRANT {right}"), mapping, None)?
        .trim_start_matches("GRANT ")
        .to_owned())
}

fn rights(row: &Row) -> Vec<String> {
    row.get("rights")
}

async fn public<S: SideMarker, R: Right>(session: &Session<S, R>) -> Result<Option<Row>, Failure> {
    let doing = session.doing("read the rights on the schema public");
    Ok(doing.query_opt(include_str!("public_rights.sql"), &[]).await?)
}
