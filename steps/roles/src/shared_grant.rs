//! Rights on what belongs to the whole server: parameters and tablespaces. `pg_dump` leaves them out, `pg_dumpall` has them.

use crate::piece::Piece;
use pghaul_step::postgres::{Right, Session, SideMarker};
use pghaul_step::renaming::renamed;
use pghaul_step::{Failure, Mapping};

/// The first version with rights on parameters.
const HAS_PARAMETERS: u32 = 150_000;

/// The statements that grant them, but for those of owners, who have all.
pub(crate) async fn read<S: SideMarker, R: Right>(
    server: &Session<S, R>,
    mapping: &Mapping,
) -> Result<Vec<Piece>, Failure> {
    let mut pieces = Vec::new();
    let of_tablespaces = include_str!("tablespace_grants.sql");
    let of_parameters =
        (server.server_version() >= HAS_PARAMETERS).then_some(include_str!("parameter_grants.sql"));
    for sql in [Some(of_tablespaces), of_parameters].into_iter().flatten() {
        let rows = server
            .doing("read the rights on parameters and tablespaces")
            .query(sql, &[])
            .await?;
        for row in &rows {
            let statement = renamed(row.get(0), mapping, None)?.into_owned();
            if !statement.is_empty() {
                let grantee: Option<&str> = row.get(1);
                let grantee = grantee.map(|grantee| mapping.role(grantee).to_owned());
                pieces.push(Piece::of_grant(statement, grantee));
            }
        }
    }
    Ok(pieces)
}
