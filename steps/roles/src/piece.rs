//! What a role gets beyond its creation, piece by piece: so that what the target refuses has a name.

/// A setting, comment or security label of a role, a membership, or a right on what belongs to the whole server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    /// What it is called: `setting log_statement of role app`.
    pub(crate) object: String,
    /// The statement that gives it.
    pub(crate) statement: String,
}

impl Piece {
    /// Of a GRANT of rights.
    pub(crate) fn of_grant(statement: String) -> Self {
        let granted = statement.strip_prefix("GRANT ").unwrap_or(&statement);
        Self {
            object: format!("privilege {granted}"),
            statement,
        }
    }
}
