//! The locks on the source's tables, under which nobody rewrites them.

use super::Crew;
use pghaul_copy::{Table, Unit, tables};
use pghaul_step::postgres::{ReadOnly, Session, Source};
use pghaul_step::workers::held;
use pghaul_step::{Code, Failure, Progress};
use std::time::Duration;

/// How often a worker comes back to a table that somebody has locked.
const LOCK_TRIES: u32 = 24;

impl Crew<'_> {
    /// Takes ACCESS SHARE on the source's tables, so that nobody can rewrite them under the copy, and leaves out
    /// those that somebody has rewritten since the snapshot. `None`: they go back into the queue, one by one.
    ///
    /// The locks are taken under a time limit: they never wait long behind a waiting ALTER TABLE.
    pub(super) async fn lock(
        &self,
        source: &Session<Source, ReadOnly>,
        places: Vec<usize>,
    ) -> Result<Option<Vec<usize>>, Failure> {
        let wanted: Vec<&Table> = places
            .iter()
            .filter_map(|place| self.loads.get(*place).map(|load| &load.table))
            .collect();
        let mut tries = 0;
        let name = wanted.first().map(|t| t.name.to_string()).unwrap_or_default();
        let waiting = self
            .ctx
            .notes()
            .waiting(format!("the lock on table {name} of the source"));
        while let Err(failure) = tables::lock(source, &wanted).await {
            if failure.code != Code::LockTimeout {
                return self.dropped(source, failure, &places);
            }
            if places.len() > 1 {
                let alone = places.iter().map(|place| Unit::Whole(vec![*place]));
                held(&self.queue).extend(alone);
                return Ok(None);
            }
            tries += 1;
            self.wait_for_lock(&wanted, tries).await?;
        }
        drop(waiting);
        let rewritten = tables::rewritten(source, &wanted).await?;
        let mut left = Vec::with_capacity(places.len());
        for (order, place) in places.into_iter().enumerate() {
            match self.loads.get(place) {
                Some(load) if rewritten.contains(&order) => {
                    held(&self.rewritten).insert(load.number);
                }
                _ => left.push(place),
            }
        }
        Ok(Some(left))
    }

    /// A table that is gone can't be locked: with others it is tried again alone, alone it counts as rewritten.
    fn dropped(
        &self,
        source: &Session<Source, ReadOnly>,
        failure: Failure,
        places: &[usize],
    ) -> Result<Option<Vec<usize>>, Failure> {
        let undefined_table = failure.sqlstate.as_deref() == Some("42P01");
        if !undefined_table || source.is_closed() {
            return Err(failure);
        }
        match places {
            [place] => {
                let number = self.loads.get(*place).map(|load| load.number);
                held(&self.rewritten).extend(number);
            }
            many => held(&self.queue).extend(many.iter().map(|place| Unit::Whole(vec![*place]))),
        }
        Ok(None)
    }

    async fn wait_for_lock(&self, wanted: &[&Table], tries: u32) -> Result<(), Failure> {
        let name = wanted.first().map(|t| t.name.to_string()).unwrap_or_default();
        if tries >= LOCK_TRIES {
            let message = format!("table {name} stays locked on the source");
            return Err(Failure::new(Code::StatementCancelled, message).with_hint(
                "look in pg_locks for the session that holds it, end its transaction, and run again",
            ));
        }
        self.ctx.check_cancelled()?;
        let what = format!("the lock on table {name} of the source");
        self.ctx.progress(Progress::Waiting { what });
        tokio::time::sleep(Duration::from_millis(200)).await;
        Ok(())
    }
}
