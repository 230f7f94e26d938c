//! How many connections a server has left besides those of its applications.

use super::{ReadOnly, Server, Session, SideMarker};
use crate::error::PgError;

/// What is left to the applications at least, and the share of all of them, one of so many.
const LEAST_RESERVE: usize = 2;
const SHARE: usize = 10;

/// The connections of a server, without those that are reserved for superusers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// How many there may be.
    pub usable: usize,
    /// How many others have.
    pub others: usize,
}

impl Room {
    /// How many are free besides those of others.
    pub fn free(self) -> usize {
        self.usable.saturating_sub(self.others)
    }

    /// How many of the free ones are left to the applications, for more than they have now.
    pub fn reserve(self) -> usize {
        (self.usable / SHARE).max(LEAST_RESERVE)
    }

    /// How many may be taken.
    pub fn available(self) -> usize {
        self.free().saturating_sub(self.reserve())
    }
}

impl<S: SideMarker> Session<S, ReadOnly> {
    /// The connections of this session's server; those whose `application_name` begins as given do not count as others'.
    ///
    /// # Errors
    /// When the server can't be asked.
    pub async fn room(&self, ours: &str) -> Result<Room, PgError> {
        let doing = self.doing("count the connections that are left");
        let row = doing.query_one(include_str!("room.sql"), &[&ours]).await?;
        let number = |column| usize::try_from(row.get::<_, i64>(column)).unwrap_or(0);
        Ok(Room {
            usable: number("usable"),
            others: number("others"),
        })
    }
}

impl<S: SideMarker> Server<S> {
    /// Lets fewer sessions be open from now on, or as many as at first again. Those that are open stay.
    pub fn limit_connections(&self, connections: usize) {
        let inner = &self.inner;
        let mut limit = inner
            .limit
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let wanted = connections.clamp(1, inner.most);
        if wanted > *limit {
            inner.budget.add_permits(wanted - *limit);
            *limit = wanted;
        } else {
            // Only places that nobody has can be taken away; the next look takes the rest.
            *limit -= inner.budget.forget_permits(*limit - wanted);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Room;

    #[test]
    fn some_are_left_to_the_applications() {
        let available = |usable, others| Room { usable, others }.available();
        assert_eq!(available(97, 10), 78);
        assert_eq!(available(17, 10), 5);
        assert_eq!(available(17, 16), 0);
        assert_eq!(available(3, 9), 0);
    }
}
