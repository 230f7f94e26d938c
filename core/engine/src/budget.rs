//! How many workers and databases side by side a number of connections allows.

use pghaul_core::{Code, Failure};
use pghaul_postgres::Room;

/// Sessions that a database needs on one server besides the workers of its copy: the snapshot's keeper, the
/// session of the step, and pg_dump's.
const BESIDES_WORKERS: usize = 3;

/// Sessions that a worker may have on the target.
const OF_WORKER: usize = 2;

/// How many workers there may be, when each database that is moved side by side can have all of them, within a
/// budget of connections to a server: the wanted number, or fewer. A worker may hold two connections to the target:
/// one that copies, and one that builds indexes. Without this bound, databases could wait for each other's
/// connections for ever.
///
/// # Errors
/// Where the budget does not even allow one worker for each database.
pub fn workers_within(budget: usize, databases_at_once: usize, wanted: usize) -> Result<usize, Failure> {
    let databases = databases_at_once.max(1);
    match (budget / databases).saturating_sub(BESIDES_WORKERS) / OF_WORKER {
        0 => Err(Failure::new(
            Code::BadInput,
            format!("{budget} connections are too few for {databases} databases at once"),
        )
        .with_hint(format!(
            "allow at least {} with --max-connections, or move fewer databases at once with --databases-at-once",
            databases * (BESIDES_WORKERS + OF_WORKER)
        ))),
        most => Ok(wanted.clamp(1, most)),
    }
}

/// The fewest connections to the source that a database can be moved with: the snapshot's keeper, the session of the
/// step, that of a worker, and one to look with.
pub const FEWEST_CONNECTIONS: usize = 4;

/// The session that watches the source has a place of its own.
const OF_WATCH: usize = 1;

/// How many connections to the source a run may take, besides those that watch it, where its applications are to find
/// free ones.
pub fn connections_within(room: Room) -> usize {
    room.available().saturating_sub(OF_WATCH).max(FEWEST_CONNECTIONS)
}

/// How many databases side by side, and how many workers, a number of connections to the source allows.
pub fn side_by_side_within(connections: usize, databases_at_once: usize, workers: usize) -> (usize, usize) {
    let most = (connections.saturating_sub(1) / BESIDES_WORKERS).max(1);
    let databases = databases_at_once.clamp(1, most);
    let workers_left = connections.saturating_sub(databases * BESIDES_WORKERS).max(1);
    (databases, workers.clamp(1, workers_left))
}

#[cfg(test)]
mod tests {
    use super::{connections_within, side_by_side_within, workers_within};
    use pghaul_postgres::Room;

    #[test]
    fn workers_fit_into_the_budget_of_connections() {
        assert_eq!(workers_within(24, 2, 4).unwrap(), 4);
        assert_eq!(workers_within(14, 2, 4).unwrap(), 2);
        assert_eq!(workers_within(10, 2, 4).unwrap(), 1);
        let source = |usable, others| connections_within(Room { usable, others });
        assert_eq!((source(97, 10), source(17, 9), source(17, 16)), (77, 5, 4));
        assert_eq!(side_by_side_within(77, 2, 4), (2, 4));
        assert_eq!(side_by_side_within(8, 2, 4), (2, 2));
        assert_eq!(side_by_side_within(4, 2, 4), (1, 1));
        assert_eq!(
            workers_within(9, 2, 4).unwrap_err().message,
            "9 connections are too few for 2 databases at once"
        );
    }
}
