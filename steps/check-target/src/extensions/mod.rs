//! The check `extensions`.
//!
//! - `members`: the relations that belong to extensions
//! - [`ExtensionProblem`]: what is found
//! - `trial`: an extension is created and rolled back

mod members;
mod problem;
mod removed;
mod trial;

pub use problem::ExtensionProblem;

use crate::version;
use members::{MEMBERS, Member};
use pghaul_step::postgres::extension::{AvailableExtension, Extensions as OnTarget, Refusal};
use pghaul_step::postgres::{Right, Session, SideMarker, Target};
use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Database, Failure, Finding, FindingKind, SharedSession, Subject,
    async_trait, quoted,
};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use trial::Trial;

/// The check `extensions`: are the source's extensions on the target, or can they be created there in a version
/// that fits?
///
/// Rights are judged by the rules that are known (superuser, trusted, the lists of pgextwlist, RDS, Azure and
/// Supabase, administrators of services), then by trying, which has the last word.
#[derive(Debug, Clone, Copy)]
pub struct Extensions;

#[async_trait]
impl Check for Extensions {
    type Scope = Database;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "extensions",
            summary: "the source's extensions are on the target, or can be created there",
            after: super::AFTER,
        }
    }

    async fn examine(&self, ctx: &CheckContext<Database>) -> Result<Vec<Finding>, Failure> {
        let mut wanted = installed(&*ctx.source().await?).await?;
        if let Some(selected) = ctx.selected().await? {
            wanted.retain(|extension, _| selected.holds_extension(extension));
        }
        let existing = ctx.target_database().await?;
        let there = match &existing {
            Some(session) => installed(&**session).await?,
            // What every new database has, without a relation of its own.
            None => BTreeMap::from([(
                "plpgsql".to_owned(),
                Installed {
                    version: String::new(),
                    members: Some(Vec::new()),
                },
            )]),
        };
        let look = Look {
            ctx,
            on_target: &*ctx.target_extensions().await?,
            existing: existing.as_ref(),
        };
        let mut findings = Vec::new();
        for (extension, on_source) in wanted {
            let problems = match there.get(&extension) {
                Some(on_target) => look.compared(&extension, &on_source, on_target, true).await?,
                None => look.missing(&extension, &on_source).await?,
            };
            let object = format!("extension {}", quoted(&extension));
            findings.extend(problems.iter().map(|problem| {
                let subject = Subject::Object {
                    database: ctx.database().clone(),
                    object: object.clone(),
                };
                problem.about("extensions", subject)
            }));
        }
        Ok(findings)
    }
}

/// An extension as a database has it, or would have it.
struct Installed {
    version: String,
    /// Not known where it could not be tried.
    members: Option<Vec<Member>>,
}

/// The extensions of a session's database.
async fn installed<S: SideMarker, R: Right>(
    session: &Session<S, R>,
) -> Result<BTreeMap<String, Installed>, Failure> {
    let doing = session.doing("list the extensions");
    let sql = "SELECT extname::text, extversion FROM pg_catalog.pg_extension";
    let extensions = doing.query(sql, &[]).await?;
    let mut members = members::by_extension(&doing.query(MEMBERS, &[]).await?);
    let mut installed = BTreeMap::new();
    for row in &extensions {
        let name: String = row.get(0);
        let extension = Installed {
            version: row.get(1),
            members: Some(members.remove(&name).unwrap_or_default()),
        };
        installed.insert(name, extension);
    }
    Ok(installed)
}

struct Look<'a> {
    ctx: &'a CheckContext<Database>,
    on_target: &'a OnTarget,
    existing: Option<&'a SharedSession<Target>>,
}

impl Look<'_> {
    /// An extension that the target database lacks.
    async fn missing(
        &self,
        extension: &str,
        on_source: &Installed,
    ) -> Result<Vec<ExtensionProblem>, Failure> {
        let Some(AvailableExtension { default_version, .. }) = self.on_target.available(extension) else {
            let (extension, version) = (extension.to_owned(), on_source.version.clone());
            let since = removed::since(&extension, self.ctx.target().await?.server_version());
            return Ok(vec![match since {
                Some(since) => ExtensionProblem::ExtensionRemoved {
                    extension,
                    version,
                    since,
                },
                None => ExtensionProblem::ExtensionNotAvailable { extension, version },
            }]);
        };
        let trial = trial::create(self.ctx, self.existing, extension).await?;
        if let Some(problem) = self.not_creatable(extension, &trial) {
            return Ok(vec![problem]);
        }
        let would_be = Installed {
            version: default_version.as_ref().unwrap_or(&on_source.version).clone(),
            members: match trial {
                Trial::Created(members) => Some(members),
                _ => None,
            },
        };
        self.compared(extension, on_source, &would_be, false).await
    }

    fn not_creatable(&self, extension: &str, trial: &Trial) -> Option<ExtensionProblem> {
        let by_the_rules = self.on_target.may_create(extension);
        let refusal = match (trial, by_the_rules) {
            (Trial::Created(_), _) | (Trial::Unknown, Ok(())) => return None,
            (Trial::Fails(error), _) => {
                return Some(ExtensionProblem::ExtensionFails {
                    extension: extension.to_owned(),
                    error: error.clone(),
                });
            }
            (Trial::NotPermitted, Ok(())) => Refusal::NeedsSuperuser,
            (Trial::NotPermitted | Trial::Unknown, Err(refusal)) => refusal,
        };
        Some(ExtensionProblem::ExtensionNotPermitted {
            extension: extension.to_owned(),
            setting: match refusal {
                Refusal::NotInAllowList { setting } => Some(setting),
                Refusal::NeedsSuperuser => None,
            },
            database: self.ctx.database().to_string(),
        })
    }

    async fn compared(
        &self,
        extension: &str,
        on_source: &Installed,
        on_target: &Installed,
        is_installed: bool,
    ) -> Result<Vec<ExtensionProblem>, Failure> {
        let (source, target) = (&on_source.version, &on_target.version);
        let mut problems: Vec<ExtensionProblem> = self
            .fits(extension, source, target, is_installed)
            .await?
            .into_iter()
            .collect();
        // pg_dump leaves out what is an extension's, as if its script made it.
        let of_source = on_source.members.as_deref().unwrap_or_default();
        let added = match &on_target.members {
            Some(of_target) => members::missing(of_source, of_target),
            None => Vec::new(),
        };
        if !added.is_empty() {
            problems.push(ExtensionProblem::MembersAdded {
                extension: extension.to_owned(),
                relations: added.iter().map(|member| member.named()).collect(),
                statements: added.iter().map(|member| member.drop_from(extension)).collect(),
                same_version: target.is_empty() || source == target,
            });
        }
        Ok(problems)
    }

    /// Whether the target's version can take the place of the source's. Where the spellings don't tell, the ways
    /// on which the target can update the extension may.
    async fn fits(
        &self,
        extension: &str,
        source: &str,
        target: &str,
        installed: bool,
    ) -> Result<Option<ExtensionProblem>, Failure> {
        // The version that comes with a new database is that of its server.
        if target.is_empty() {
            return Ok(None);
        }
        let order = match version::compare(source, target) {
            None => self.by_updates(extension, source, target).await?,
            order => order,
        };
        let (extension, source, target) = (extension.to_owned(), source.to_owned(), target.to_owned());
        Ok(match order {
            Some(Ordering::Less | Ordering::Equal) => None,
            None => Some(ExtensionProblem::ExtensionVersionUnclear {
                extension,
                source,
                target,
            }),
            Some(Ordering::Greater) => {
                let available = self.on_target.available(&extension);
                let available = available.is_some_and(|there| there.versions.contains(&source));
                Some(ExtensionProblem::ExtensionTooOld {
                    extension,
                    source,
                    target,
                    installed,
                    available,
                })
            }
        })
    }

    /// An extension is updated from older to newer versions.
    async fn by_updates(
        &self,
        extension: &str,
        source: &str,
        target: &str,
    ) -> Result<Option<Ordering>, Failure> {
        // The server looks for all ways between all versions: their number grows with the cube of that of versions.
        const MOST_VERSIONS: usize = 50;
        let few = |there: &AvailableExtension| there.versions.len() <= MOST_VERSIONS;
        if !self.on_target.available(extension).is_some_and(few) {
            return Ok(None);
        }
        let session = self.ctx.target().await?;
        let doing = session.doing("look for the ways to update the extension");
        let parameters: &[&(dyn pghaul_step::postgres::ToSql + Sync)] = &[&extension, &source, &target];
        let row = doing.query_one(include_str!("updates.sql"), parameters).await?;
        Ok(match (row.get("forwards"), row.get("backwards")) {
            (true, false) => Some(Ordering::Less),
            (false, true) => Some(Ordering::Greater),
            _ => None,
        })
    }
}
