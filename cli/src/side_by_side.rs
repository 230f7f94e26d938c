//! How much is done side by side, by what the servers have to spare.

use crate::servers::Servers;
use pghaul_engine::{connections_within, side_by_side_within, workers_within};
use pghaul_postgres::{Server, SideMarker};
use pghaul_step::{Failure, Workers};

/// Workers where nobody says how many and the servers are elsewhere: their cores can't be asked for.
const ELSEWHERE: usize = 4;

/// The most workers that are taken without being asked for.
const MOST: usize = 8;

impl Servers {
    /// How many databases are moved side by side, and the pool of workers: as many as the budget of connections allows,
    /// and as the source has free besides those of its applications.
    ///
    /// # Errors
    /// Where the budget does not even allow one worker for each database.
    pub(crate) fn side_by_side(
        &self,
        jobs: Option<u16>,
        connections: usize,
        databases_at_once: usize,
    ) -> Result<(usize, Workers), Failure> {
        let here = is_here(&self.source) && is_here(&self.target);
        let wanted = match jobs {
            Some(jobs) => usize::from(jobs),
            None if here => std::thread::available_parallelism()
                .map_or(ELSEWHERE, usize::from)
                .clamp(2, MOST),
            None => ELSEWHERE,
        };
        let workers = workers_within(connections, databases_at_once, wanted)?;
        let of_source = connections_within(self.room).min(connections);
        let (databases, workers) = side_by_side_within(of_source, databases_at_once, workers);
        Ok((databases, Workers::new(workers)))
    }
}

/// Whether a server is on this machine, as far as its address tells.
fn is_here<S: SideMarker>(server: &Server<S>) -> bool {
    server
        .resolved()
        .endpoints()
        .iter()
        .all(|endpoint| endpoint.is_local())
}
