//! What the roles of the source are to be on the target.

use crate::membership::{self, Membership};
use crate::piece::Piece;
use crate::role::{self, Role};
use crate::shared_grant;
use pghaul_step::postgres::{Right, Session, Source};
use pghaul_step::{Failure, Mapping, Selection};

/// All of it, with the names of the target.
pub(crate) struct Wanted {
    pub(crate) roles: Vec<Role>,
    pub(crate) memberships: Vec<Membership>,
    /// Rights on parameters and tablespaces.
    pub(crate) grants: Vec<Piece>,
}

impl Wanted {
    /// Reads what is selected.
    pub(crate) async fn read<R: Right>(
        source: &Session<Source, R>,
        selection: &Selection,
        mapping: &Mapping,
    ) -> Result<Self, Failure> {
        let mut roles = role::read(source).await?;
        roles.retain(|role| selection.holds_role(&role.name));
        for role in &mut roles {
            role.of_provider |= selection.is_role_of_provider(&role.name);
        }
        let mut memberships = membership::read(source).await?;
        memberships.retain(|m| selection.holds_role(&m.role) && selection.holds_role(&m.member));
        Ok(Self {
            roles: role::renamed(roles, mapping),
            memberships: membership::renamed(memberships, mapping),
            grants: match mapping.no_privileges {
                true => Vec::new(),
                false => shared_grant::read(source, mapping).await?,
            },
        })
    }
}
