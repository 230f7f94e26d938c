//! Whether the source is still written to.
//!
//! A session whose transaction has an id has written, or is about to; one that idles may write later, which nobody can
//! know. So databases are watched for a short while. Before a subscription is dropped, its slot tells exactly whether a
//! change came after the last proof.

use crate::run::Engine;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use pghaul_core::{DatabaseName, Failure, escaped};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::Instant;

/// How long the source is watched.
const SPAN: Duration = Duration::from_millis(1500);

/// How often sessions are read meanwhile.
const PAUSE: Duration = Duration::from_millis(250);

/// How many databases are asked side by side.
const AT_ONCE: usize = 4;

/// What others do in a database of the source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sessions {
    /// Those that write, one sentence each.
    pub(super) writing: BTreeSet<String>,
    /// How many are connected.
    pub(super) connected: u64,
}

/// How far a database of the source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Activity {
    /// The next transaction id of the server.
    next: i64,
    /// How many rows were changed, as far as that is reported.
    changes: i64,
}

impl Activity {
    /// Whether rows were changed since. What is reported late was changed before where no transaction came since.
    fn is_after(self, before: Self) -> bool {
        self.next != before.next && self.changes != before.changes
    }
}

impl Engine {
    /// Watches databases for a short while. Returns what others did in each.
    pub(super) async fn watch(
        &self,
        databases: &[DatabaseName],
    ) -> Result<BTreeMap<DatabaseName, Sessions>, Failure> {
        let mut seen: BTreeMap<DatabaseName, Sessions> = BTreeMap::new();
        let before = self.activities(databases).await?;
        let begin = Instant::now();
        loop {
            let looking = databases
                .iter()
                .map(|database| async move { Ok::<_, Failure>((database, self.sessions(database).await?)) });
            let now: Vec<_> = stream::iter(looking.collect::<Vec<_>>())
                .buffer_unordered(AT_ONCE)
                .try_collect()
                .await?;
            for (database, sessions) in now {
                let all = seen.entry(database.clone()).or_default();
                all.writing.extend(sessions.writing);
                all.connected = sessions.connected;
            }
            if begin.elapsed() >= SPAN || databases.is_empty() {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        let after = self.activities(databases).await?;
        for (database, after) in after {
            let written = before
                .get(&database)
                .is_some_and(|before| after.is_after(*before));
            let all = seen.entry(database).or_default();
            if written && all.writing.is_empty() {
                all.writing
                    .insert("rows of its tables were changed while it was watched".to_owned());
            }
        }
        Ok(seen)
    }

    /// What others do in a database now.
    pub(super) async fn sessions(&self, database: &DatabaseName) -> Result<Sessions, Failure> {
        let migration = &self.run.migration;
        let of_ours = [format!("pghaul/{migration}/"), format!("pghaul_{migration}_")];
        let session = self.run.source.reader(database.as_str()).await?;
        let rows = session
            .doing("look for sessions that write")
            .query(include_str!("sessions.sql"), &[&of_ours[0], &of_ours[1]])
            .await?;
        let mut sessions = Sessions::default();
        for row in rows {
            sessions.connected += 1;
            if row.get::<_, bool>("writes") {
                let what: String = row.get("what");
                let state = "has a transaction that has written or may write";
                sessions.writing.insert(format!("{} {state}", escaped(&what)));
            }
        }
        Ok(sessions)
    }

    async fn activities(
        &self,
        databases: &[DatabaseName],
    ) -> Result<BTreeMap<DatabaseName, Activity>, Failure> {
        let reading = databases.iter().map(|database| async move {
            let session = self.run.source.reader(database.as_str()).await?;
            let doing = session.doing("read how much was written");
            let row = doing.query_one(include_str!("activity.sql"), &[]).await?;
            let (next, changes) = (row.get("next"), row.get("changes"));
            Ok((database.clone(), Activity { next, changes }))
        });
        stream::iter(reading.collect::<Vec<_>>())
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::Activity;

    #[test]
    fn only_rows_changed_by_a_transaction_meanwhile_count() {
        let before = Activity {
            next: 100,
            changes: 5,
        };
        let after = |next, changes| Activity { next, changes }.is_after(before);
        assert!(after(101, 6));
        assert!(!after(100, 6), "reported late");
        assert!(!after(140, 5), "autovacuum, or another database");
    }
}
