//! Rights on what belongs to the whole server: parameters and tablespaces. `pg_dump` leaves them out, `pg_dumpall` has them.

use pghaul_step::postgres::{ReadOnly, Session, Source};
use pghaul_step::renaming::renamed;
use pghaul_step::{Failure, Mapping};

/// The first version with rights on parameters.
const HAS_PARAMETERS: u32 = 150_000;

/// The statements that grant them, but for those of owners, who have all.
pub(crate) async fn read(
    source: &Session<Source, ReadOnly>,
    mapping: &Mapping,
) -> Result<Vec<String>, Failure> {
    let mut statements = Vec::new();
    let of_tablespaces = include_str!("tablespace_grants.sql");
    let of_parameters =
        (source.server_version() >= HAS_PARAMETERS).then_some(include_str!("parameter_grants.sql"));
    for sql in [Some(of_tablespaces), of_parameters].into_iter().flatten() {
        let rows = source
            .doing("read the rights on parameters and tablespaces")
            .query(sql, &[])
            .await?;
        for row in &rows {
            statements.push(renamed(row.get(0), mapping, None)?.into_owned());
        }
    }
    Ok(statements)
}
