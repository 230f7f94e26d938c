//! What the check `extensions` finds.

use pghaul_step::{FindingKind, Severity, quoted};
use serde::Serialize;

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
    /// It was part of PostgreSQL, and is not in the target's version.
    ExtensionRemoved {
        /// Its name.
        extension: String,
        /// The version on the source.
        version: String,
        /// The first major version of PostgreSQL without it.
        since: u32,
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
    /// Relations of the source belong to it that its script on the target does not make.
    MembersAdded {
        /// Its name.
        extension: String,
        /// Each as PostgreSQL names it, such as `table public.jobs`.
        relations: Vec<String>,
        /// Those after which these are relations like others.
        #[serde(skip)]
        statements: Vec<String>,
        /// Whether both servers have the same version, so that another script is no explanation.
        #[serde(skip)]
        same_version: bool,
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
            Self::ExtensionVersionUnclear { .. }
            | Self::MembersAdded {
                same_version: false, ..
            } => Severity::Warning,
            _ => Severity::Error,
        }
    }

    fn message(&self) -> String {
        match self {
            Self::ExtensionNotAvailable { extension, version } => {
                format!("extension {extension} (version {version}) is not available on the target")
            }
            Self::ExtensionRemoved {
                extension,
                version,
                since,
            } => {
                format!(
                    "extension {extension} (version {version}) does not exist in PostgreSQL {since} and newer"
                )
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
            Self::MembersAdded {
                extension, relations, ..
            } => format!(
                "{} would be left out with {}: the source counts it as part of extension {extension}, which does not bring it \
                 on the target",
                crate::each(relations),
                if relations.len() == 1 {
                    "its rows"
                } else {
                    "their rows"
                },
            ),
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
            Self::ExtensionRemoved { extension, .. } => {
                format!(
                    "if nothing needs it, on the source: DROP EXTENSION {}; or leave it out, with what needs it: \
                     --exclude-extension {extension}",
                    quoted(extension)
                )
            }
            Self::MembersAdded { statements, .. } => {
                format!(
                    "on the source, so that it is moved as any other: {}",
                    statements.join(" ")
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
