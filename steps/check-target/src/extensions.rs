//! The check `extensions`.

use crate::extension_trial::{self, Trial};
use crate::version;
use pghaul_step::postgres::extension::{AvailableExtension, Extensions as OnTarget, Refusal};
use pghaul_step::postgres::{Right, Session, SideMarker, Target};
use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Database, Failure, Finding, FindingKind, Severity, SharedSession,
    Subject, async_trait, quoted,
};
use serde::Serialize;
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// What is wrong with an extension of the source on the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ExtensionProblem {
    /// Its files are not on the target.
    ExtensionNotAvailable {
        /// Its name.
        extension: String,
        /// The version on the source.
        version: String,
    },
    /// The version that the target has or would create is older than the source's.
    ExtensionTooOld {
        /// Its name.
        extension: String,
        /// The version on the source.
        source: String,
        /// The version on the target.
        target: String,
        /// Whether it is installed in the target database already.
        installed: bool,
        /// Whether the target has the files of the source's version, too.
        available: bool,
    },
    /// The versions differ, and nothing tells which one is older.
    ExtensionVersionUnclear {
        /// Its name.
        extension: String,
        /// The version on the source.
        source: String,
        /// The version on the target.
        target: String,
    },
    /// pghaul's role may not create it.
    ExtensionNotPermitted {
        /// Its name.
        extension: String,
        /// The list of the service that lacks it, where that is why.
        setting: Option<&'static str>,
        /// The database.
        #[serde(skip)]
        database: String,
    },
    /// The target has its files, but can't create it.
    ExtensionFails {
        /// Its name.
        extension: String,
        /// What the target says.
        error: String,
    },
}

impl FindingKind for ExtensionProblem {
    fn severity(&self) -> Severity {
        match self {
            Self::ExtensionVersionUnclear { .. } => Severity::Warning,
            _ => Severity::Error,
        }
    }

    fn message(&self) -> String {
        match self {
            Self::ExtensionNotAvailable { extension, version } => {
                format!("extension {extension} (version {version}) is not available on the target")
            }
            Self::ExtensionTooOld {
                extension,
                source,
                target,
                installed,
                ..
            } => {
                let has = if *installed { "has" } else { "would create" };
                format!(
                    "extension {extension} is {source} on the source, but the target {has} {target}, which is older"
                )
            }
            Self::ExtensionVersionUnclear {
                extension,
                source,
                target,
            } => format!(
                "extension {extension} is {source} on the source and {target} on the target; which is older is unclear"
            ),
            Self::ExtensionNotPermitted {
                extension,
                setting: Some(setting),
                ..
            } => format!("extension {extension} can't be created on the target: {setting} does not list it"),
            Self::ExtensionNotPermitted { extension, .. } => {
                format!("extension {extension} can be created on the target by a superuser only")
            }
            Self::ExtensionFails { extension, error } => {
                format!("extension {extension} can't be created on the target: {error}")
            }
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::ExtensionNotAvailable { extension, .. } | Self::ExtensionFails { extension, .. } => {
                format!(
                    "install its package on the target's machine; or, if nothing needs it, on the source: \
                 DROP EXTENSION {};",
                    quoted(extension)
                )
            }
            Self::ExtensionTooOld {
                extension,
                source,
                installed: true,
                available: true,
                ..
            } => format!(
                "in the target database: ALTER EXTENSION {} UPDATE TO {};",
                quoted(extension),
                quoted_version(source)
            ),
            Self::ExtensionTooOld {
                extension,
                source,
                available: true,
                ..
            } => format!(
                "create the database on the target, and in it: CREATE EXTENSION {} VERSION {};",
                quoted(extension),
                quoted_version(source)
            ),
            Self::ExtensionTooOld { .. } => {
                "install a newer version of its package on the target's machine".to_owned()
            }
            Self::ExtensionVersionUnclear { .. } => {
                "look into its release notes whether the target's version can do what the source uses"
                    .to_owned()
            }
            Self::ExtensionNotPermitted {
                extension,
                setting: Some(setting),
                ..
            } => format!("add {extension} to the parameter {setting} of the target's service"),
            Self::ExtensionNotPermitted {
                extension, database, ..
            } => format!(
                "create database {} on the target, and in it as a superuser: CREATE EXTENSION {};",
                quoted(database),
                quoted(extension)
            ),
        })
    }
}

fn quoted_version(version: &str) -> String {
    format!("'{}'", version.replace('\'', "''"))
}

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
            // What every new database has.
            None => BTreeMap::from([("plpgsql".to_owned(), String::new())]),
        };
        let look = Look {
            ctx,
            on_target: &*ctx.target_extensions().await?,
            existing: existing.as_ref(),
        };
        let mut findings = Vec::new();
        for (extension, version) in wanted {
            let problem = match there.get(&extension) {
                Some(on_target) => look.fits(&extension, &version, on_target, true).await?,
                None => look.missing(&extension, &version).await?,
            };
            let subject = Subject::Object {
                database: ctx.database().clone(),
                object: format!("extension {}", quoted(&extension)),
            };
            findings.extend(problem.map(|problem| problem.about("extensions", subject)));
        }
        Ok(findings)
    }
}

/// The extensions of a session's database, with their versions.
async fn installed<S: SideMarker, R: Right>(
    session: &Session<S, R>,
) -> Result<BTreeMap<String, String>, Failure> {
    let sql = "SELECT extname::text, extversion FROM pg_catalog.pg_extension";
    let rows = session.doing("list the extensions").query(sql, &[]).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

struct Look<'a> {
    ctx: &'a CheckContext<Database>,
    on_target: &'a OnTarget,
    existing: Option<&'a SharedSession<Target>>,
}

impl Look<'_> {
    /// An extension that the target database lacks.
    async fn missing(&self, extension: &str, version: &str) -> Result<Option<ExtensionProblem>, Failure> {
        let Some(AvailableExtension { default_version, .. }) = self.on_target.available(extension) else {
            return Ok(Some(ExtensionProblem::ExtensionNotAvailable {
                extension: extension.to_owned(),
                version: version.to_owned(),
            }));
        };
        if let Some(problem) = self.not_creatable(extension).await? {
            return Ok(Some(problem));
        }
        let would_be = default_version.as_deref().unwrap_or(version);
        self.fits(extension, version, would_be, false).await
    }

    async fn not_creatable(&self, extension: &str) -> Result<Option<ExtensionProblem>, Failure> {
        let by_the_rules = self.on_target.may_create(extension);
        let trial = extension_trial::create(self.ctx, self.existing, extension).await?;
        let refusal = match (trial, by_the_rules) {
            (Trial::Created, _) | (Trial::Unknown, Ok(())) => return Ok(None),
            (Trial::Fails(error), _) => {
                return Ok(Some(ExtensionProblem::ExtensionFails {
                    extension: extension.to_owned(),
                    error,
                }));
            }
            (Trial::NotPermitted, Ok(())) => Refusal::NeedsSuperuser,
            (Trial::NotPermitted | Trial::Unknown, Err(refusal)) => refusal,
        };
        Ok(Some(ExtensionProblem::ExtensionNotPermitted {
            extension: extension.to_owned(),
            setting: match refusal {
                Refusal::NotInAllowList { setting } => Some(setting),
                Refusal::NeedsSuperuser => None,
            },
            database: self.ctx.database().to_string(),
        }))
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
