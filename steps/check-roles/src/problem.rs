//! What is found about roles.

use pghaul_step::{FindingKind, Severity, listed, map_role, quoted};
use serde::Serialize;

/// Roles, passwords or settings that do not arrive as they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum RoleProblem {
    /// Roles whose names begin with `pg_`, which PostgreSQL keeps for its own.
    ReservedNames {
        /// The roles.
        roles: Vec<String>,
    },
    /// Superusers that the target's service does not let be superusers.
    SuperusersRefused {
        /// The roles.
        roles: Vec<String>,
        /// The roles that may be superusers there.
        allowed: Vec<String>,
    },
    /// Roles that lose attributes, because pghaul's role on the target can't give them.
    AttributesLost {
        /// The roles, with the attributes.
        roles: Vec<String>,
    },
    /// Passwords that pghaul's role may not read, so that roles arrive without.
    PasswordsHidden {
        /// The roles that may log in.
        roles: Vec<String>,
        /// pghaul's role on the source.
        reader: String,
    },
    /// Passwords that are hashed with MD5.
    Md5Passwords {
        /// The roles.
        roles: Vec<String>,
    },
    /// Passwords in a form that the target takes for plain text.
    UnknownPasswords {
        /// The roles.
        roles: Vec<String>,
    },
    /// Roles that the target has already, and that are something else there.
    RolesDiffer {
        /// The roles, with what differs.
        roles: Vec<String>,
    },
    /// Roles that the target has under other names, as `--map-role` says.
    RolesMapped {
        /// The roles, each with the one that takes its place, and whether that is there.
        roles: Vec<String>,
    },
    /// Roles of `--map-role` that the source does not have.
    MappedRolesMissing {
        /// The roles.
        roles: Vec<String>,
    },
    /// Roles that are to take the place of several, and that the target lacks.
    MappedToNobody {
        /// The roles.
        roles: Vec<String>,
    },
    /// Passwords that are bound to the name of their role, which gets another one.
    PasswordsOfOldNames {
        /// The roles, by their new names.
        roles: Vec<String>,
    },
    /// Everything belongs to pghaul's role, as `--no-owner` says.
    OwnersLeftOut {
        /// pghaul's role on the target.
        role: String,
    },
    /// No rights are granted, as `--no-privileges` says.
    PrivilegesLeftOut,
    /// Settings of all roles (`ALTER ROLE ALL`), which are not moved.
    SettingsOfAllRoles {
        /// The settings.
        settings: Vec<String>,
    },
}

impl FindingKind for RoleProblem {
    fn severity(&self) -> Severity {
        match self {
            Self::ReservedNames { .. }
            | Self::SuperusersRefused { .. }
            | Self::MappedRolesMissing { .. }
            | Self::MappedToNobody { .. } => Severity::Error,
            Self::RolesMapped { .. } | Self::OwnersLeftOut { .. } | Self::PrivilegesLeftOut => Severity::Note,
            _ => Severity::Warning,
        }
    }

    fn message(&self) -> String {
        let said = |what: &str, names: &[String]| format!("{what} ({}): {}", names.len(), listed(names));
        match self {
            Self::ReservedNames { roles } => said(
                "roles with names that begin with pg_ can't be created, and whatever they own neither",
                roles,
            ),
            Self::SuperusersRefused { roles, allowed } => format!(
                "the target lets only {} be superusers, not these roles of the source ({}): {}",
                listed(allowed),
                roles.len(),
                listed(roles)
            ),
            Self::AttributesLost { roles } => said(
                "roles are created without attributes that pghaul's role on the target can't give",
                roles,
            ),
            Self::PasswordsHidden { roles, reader } => said(
                &format!(
                    "role {} may not read passwords on the source, so these roles can't log in on the target until they \
                     get one",
                    quoted(reader)
                ),
                roles,
            ),
            Self::Md5Passwords { roles } => said(
                "passwords are hashed with MD5: the target lets these roles in only where its pg_hba.conf says md5, \
                 and PostgreSQL gives MD5 up, with a warning from 18 on",
                roles,
            ),
            Self::UnknownPasswords { roles } => said(
                "passwords have a form that is neither MD5 nor SCRAM-SHA-256; the target takes them for plain text",
                roles,
            ),
            Self::RolesDiffer { roles } => said(
                "roles that the target has already are not altered, and differ from those of the source",
                roles,
            ),
            Self::RolesMapped { roles } => said(
                "roles of the source have another one in their place on the target, as owners, in privileges and in memberships",
                roles,
            ),
            Self::MappedRolesMissing { roles } => {
                said("--map-role names roles that the source does not have", roles)
            }
            Self::MappedToNobody { roles } => said(
                "several roles of the source are mapped to a role that the target does not have",
                roles,
            ),
            Self::PasswordsOfOldNames { roles } => said(
                "passwords that are hashed with MD5 are bound to the name of the role: under their new names these roles \
                 can't log in on the target until they get one",
                roles,
            ),
            Self::OwnersLeftOut { role } => {
                format!(
                    "everything will belong to role {} on the target (--no-owner)",
                    quoted(role)
                )
            }
            Self::PrivilegesLeftOut => {
                "no privileges are granted on the target, and no default privileges are set (--no-privileges)"
                    .to_owned()
            }
            Self::SettingsOfAllRoles { settings } => said(
                "settings that ALTER ROLE ALL has given to all roles of the source are not moved",
                settings,
            ),
        }
    }

    fn hint(&self) -> Option<String> {
        let first = |names: &[String]| names.first().map(|name| quoted(name)).unwrap_or_default();
        Some(match self {
            // In one transaction: without the first statement, the second would drop what the role owns.
            Self::ReservedNames { roles } => format!(
                "such a role can't be renamed; on the source, in each database: BEGIN; REASSIGN OWNED BY {0} TO CURRENT_USER; \
                 DROP OWNED BY {0}; COMMIT; then: DROP ROLE {0};",
                first(roles)
            ),
            Self::SuperusersRefused { roles, allowed } => {
                let old = roles.first().map(String::as_str).unwrap_or_default();
                let new = allowed.first().map(String::as_str).unwrap_or_default();
                format!(
                    "create each on the target beforehand: CREATE ROLE {} LOGIN; or let another role take its place there: {}",
                    first(roles),
                    map_role(old, new)
                )
            }
            Self::AttributesLost { .. } => {
                "let a superuser create them on the target beforehand, or give the attributes afterwards"
                    .to_owned()
            }
            Self::PasswordsHidden { reader, roles } => format!(
                "as a superuser of the source: GRANT SELECT ON pg_catalog.pg_authid TO {}; or afterwards on the target, in psql: \
                 \\password {}",
                quoted(reader),
                first(roles)
            ),
            Self::Md5Passwords { roles } => format!(
                "set them anew on the source, in psql: SET password_encryption = 'scram-sha-256'; \\password {}",
                first(roles)
            ),
            Self::UnknownPasswords { roles } => {
                format!(
                    "set them anew on the source, in psql: \\password {}",
                    first(roles)
                )
            }
            Self::RolesDiffer { .. } => {
                "pg_dumpall --roles-only writes the source's statements; run on the target those that it should follow"
                    .to_owned()
            }
            Self::RolesMapped { .. } | Self::OwnersLeftOut { .. } | Self::PrivilegesLeftOut => return None,
            Self::MappedRolesMissing { .. } => {
                "change --map-role OLD=NEW: OLD is the name of a role of the source as pg_roles has it".to_owned()
            }
            Self::MappedToNobody { roles } => format!("on the target: CREATE ROLE {};", first(roles)),
            Self::PasswordsOfOldNames { roles } => {
                format!("afterwards on the target, in psql: \\password {}", first(roles))
            }
            Self::SettingsOfAllRoles { settings } => format!(
                "on the target, for each that it should have: ALTER ROLE ALL SET {} TO <value>;",
                settings.first().map(String::as_str).unwrap_or_default()
            ),
        })
    }
}
