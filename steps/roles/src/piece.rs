//! What a role is and gets, piece by piece: so that what the target refuses has a name.

use pghaul_step::Code;
use pghaul_step::postgres::PgError;

/// A role; a setting, comment or security label of one; a membership; or a right on what belongs to the whole server. **Its
/// statement may hold a secret**: a password verifier, or a setting of an application's.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) what: What,
    /// What it is called: `setting log_statement of role app`.
    pub(crate) object: String,
    /// The statement that gives it.
    pub(crate) statement: String,
}

/// What a piece is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    /// The role itself.
    Role,
    /// A value of this parameter.
    Setting {
        parameter: String,
    },
    Comment,
    /// A security label of this provider.
    Label {
        provider: String,
    },
    /// A membership in this role.
    Membership {
        role: String,
    },
    /// A right on a parameter or a tablespace, of this role or of `PUBLIC`.
    Privilege {
        grantee: Option<String>,
    },
}

impl Piece {
    /// Of a GRANT of rights to a role, or to `PUBLIC`.
    pub(crate) fn of_grant(statement: String, grantee: Option<String>) -> Self {
        let granted = statement.strip_prefix("GRANT ").unwrap_or(&statement);
        Self {
            what: What::Privilege { grantee },
            object: format!("privilege {granted}"),
            statement,
        }
    }
}

/// Whether the target does not take a piece, whatever it names as the reason: the right to give it, a setting or role that it does
/// not know, a library's own rule. Errors that another try would not meet, such as `tuple concurrently updated`, are none.
pub(crate) fn is_refusal(error: &PgError) -> bool {
    let lasts = |state: &str| !state.starts_with("XX") && !state.starts_with("40");
    error.sqlstate().is_some_and(lasts) && matches!(error.code(), Code::PermissionDenied | Code::ServerError)
}
