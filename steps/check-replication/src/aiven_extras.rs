//! `aiven_extras`: an extension whose functions let an ordinary role publish and subscribe.
//!
//! On Aiven, where nobody is a superuser, it is the only way to subscribe before PostgreSQL 16 and the only way to
//! publish tables of other owners. Checks look whether a database has it, and say so in a finding with these facts;
//! a method that wants to use it looks again with [`AivenExtras::of`].
//!
//! Its functions can be executed by everybody who has USAGE on its schema, which it grants to nobody: so the
//! extension alone says nothing.

use pghaul_step::Failure;
use pghaul_step::postgres::extension::Extensions;
use pghaul_step::postgres::{Rehearsed, Right, Session, SideMarker};
use serde::{Deserialize, Serialize};

/// The name of the extension and of its schema.
const NAME: &str = "aiven_extras";

/// Whether pghaul's role can use it in one database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum AivenExtras {
    /// It is installed, and pghaul's role may use its schema.
    Usable {
        /// Its version.
        version: String,
    },
    /// It is installed, but pghaul's role has no USAGE on its schema.
    NoUsage {
        /// Its version.
        version: String,
    },
    /// It is not installed; by the rules that are known pghaul's role may install it.
    Installable,
    /// It is neither there nor to be had.
    Absent,
}

impl AivenExtras {
    /// Looks into the session's database. `extensions` is what its server has.
    ///
    /// # Errors
    /// What the server says, or a lost connection.
    pub async fn of<S: SideMarker, R: Right>(
        session: &Session<S, R>,
        extensions: &Extensions,
    ) -> Result<Self, Failure> {
        let doing = session.doing("look for aiven_extras");
        let row = doing.query_opt(include_str!("aiven_extras.sql"), &[]).await?;
        Ok(match row {
            Some(row) => Self::installed(row.get("version"), row.get("usage")),
            None => Self::not_installed(extensions),
        })
    }

    /// The state in a database that is to be created.
    pub fn not_installed(extensions: &Extensions) -> Self {
        if extensions.available(NAME).is_some() && extensions.may_create(NAME).is_ok() {
            Self::Installable
        } else {
            Self::Absent
        }
    }

    fn installed(version: String, usage: bool) -> Self {
        if usage {
            Self::Usable { version }
        } else {
            Self::NoUsage { version }
        }
    }

    /// Whether pghaul's role can use its functions, if need be after installing it.
    pub fn helps(&self) -> bool {
        matches!(self, Self::Usable { .. } | Self::Installable)
    }

    /// Makes it usable in a rehearsal: installs it where it is not. Says how it stands then, which tells whether
    /// whoever installs it may use it.
    ///
    /// # Errors
    /// What the server says against it, or a lost connection.
    pub async fn rehearse(&self, rehearsal: &mut Rehearsed<'_>) -> Result<Self, Failure> {
        if *self == Self::Installable {
            let install = "CREATE EXTENSION aiven_extras CASCADE";
            rehearsal.attempt("install aiven_extras", install, &[]).await?;
        }
        let doing = rehearsal.doing("look for aiven_extras");
        let row = doing.query_opt(include_str!("aiven_extras.sql"), &[]).await?;
        Ok(row.map_or(Self::Absent, |row| {
            Self::installed(row.get("version"), row.get("usage"))
        }))
    }
}
