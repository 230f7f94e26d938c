//! Servers that no longer exist, or whose address another one has.

use super::{Identities, Known, NOBODY_YET, Ways, is_that};
use pghaul_core::event::{Created, Endpoint};
use pghaul_core::{Code, Failure, Side};
use pghaul_postgres::Server;

impl Identities {
    /// The side of a migration at whose address another server is now.
    pub(crate) fn replaces(&self, created: &Created) -> Option<Side> {
        let is_other = |side, known: &Option<Endpoint>| {
            known.as_ref().is_some_and(|known| {
                let then = created.endpoint(side);
                known.conninfo == then.conninfo && known.system_identifier != then.system_identifier
            })
        };
        [(Side::Source, &self.source), (Side::Target, &self.target)]
            .into_iter()
            .find_map(|(side, known)| is_other(side, known).then_some(side))
    }
}

impl Ways {
    /// The other server, as one of them is gone.
    ///
    /// # Errors
    /// Where the server that is to be gone is there after all, or can't be told to be gone; where the other one can't be
    /// reached, or is not that of the migration.
    pub(crate) async fn without(self, gone: Side, created: &Created) -> Result<Known, Failure> {
        let (source, target) = tokio::join!(
            self.source.identify(NOBODY_YET, self.connections),
            self.target.identify(NOBODY_YET, self.connections)
        );
        Ok(match gone {
            Side::Source => {
                is_gone(gone, source, created)?;
                let (target, identity) = target?;
                is_that(Side::Target, &identity, created)?;
                Known {
                    source: None,
                    target: Some(target),
                }
            }
            Side::Target => {
                is_gone(gone, target, created)?;
                let (source, identity) = source?;
                is_that(Side::Source, &identity, created)?;
                Known {
                    source: Some(source),
                    target: None,
                }
            }
        })
    }
}

/// Refuses to take a server for gone that answers as the migration's, or that only does not let pghaul in.
fn is_gone<S>(
    side: Side,
    found: Result<(Server<S>, Endpoint), Failure>,
    created: &Created,
) -> Result<(), Failure> {
    match found {
        Ok((_, identity)) if is_that(side, &identity, created).is_err() => Ok(()),
        Ok(_) => Err(
            Failure::new(Code::BadInput, format!("the {side} of this migration is there"))
                .with_side(side)
                .with_hint("leave out --gone: `pghaul remove --force` removes what is on both servers"),
        ),
        Err(failure) if is_unreachable(failure.code) => Ok(()),
        Err(failure) => Err(failure),
    }
}

/// Whether nobody answers, as from a server that no longer exists.
pub(crate) fn is_unreachable(code: Code) -> bool {
    matches!(
        code,
        Code::HostNotFound | Code::ConnectionRefused | Code::ConnectionTimedOut | Code::ConnectionLost
    )
}
