//! What the target has refused and still lacks.

use crate::LeftOut;
use crate::membership::{self, Membership};
use crate::piece::Piece;
use crate::role::{self, Role};
use crate::shared_grant;
use pghaul_step::postgres::{QuoteError, Right, Session, SideMarker};
use pghaul_step::{Cluster, Context, Failure, Incomplete, Mapping};

/// Names it, until the target has it or the source has it no more.
pub(crate) async fn missing(ctx: &Context<Cluster>, refused: &[LeftOut]) -> Result<Vec<Incomplete>, Failure> {
    if refused.is_empty() {
        return Ok(Vec::new());
    }
    let wanted = pieces(&*ctx.source().await?, &ctx.mapping()).await?;
    let there = pieces(&ctx.target().await?, &Mapping::default()).await?;
    // An administrator may have given it in another way: a setting another value, a membership other options.
    let is_missing = |piece: &&Piece| there.iter().all(|other| other.object != piece.object);
    let missing = wanted.iter().filter(is_missing).filter_map(|piece| {
        let refused = refused
            .iter()
            .find(|refused| refused.statement == piece.statement)?;
        Some(Incomplete {
            object: piece.object.clone(),
            why: format!(
                "the target refused it: {}; give it there as an administrator",
                refused.why
            ),
            ..Incomplete::default()
        })
    });
    Ok(missing.collect())
}

/// All pieces that a server has, under the names of the target.
async fn pieces<S: SideMarker, R: Right>(
    server: &Session<S, R>,
    mapping: &Mapping,
) -> Result<Vec<Piece>, Failure> {
    let mut pieces = Vec::new();
    for role in role::renamed(role::read(server).await?, mapping) {
        pieces.extend(Role::pieces(&role)?);
    }
    let memberships = membership::renamed(membership::read(server).await?, mapping);
    let memberships = memberships.iter().map(Membership::piece);
    pieces.extend(memberships.collect::<Result<Vec<_>, QuoteError>>()?);
    pieces.extend(shared_grant::read(server, mapping).await?);
    Ok(pieces)
}
