//! Looks for everything of pghaul on one server.

use super::{Remain, SlotFacts, What};
use pghaul_core::id::migration_of_object;
use pghaul_core::{Epoch, Failure, MigrationId, Side};
use pghaul_postgres::{PgError, ReadOnly, Server, Session, SideMarker};
use pghaul_step::check::maintenance;
use pghaul_step::throwaway::{Throwaway, throwaways};
use serde::Serialize;
use std::collections::BTreeMap;

/// Something that could not be looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unseen {
    /// The server.
    pub side: Side,
    /// What it was.
    pub what: String,
    /// Why.
    pub failure: Failure,
}

/// What a look at one server found.
type Found = (Vec<Remain>, Vec<Unseen>);

/// Everything of pghaul on a server. `others` are the subscriptions of the other server, by oid: the slots of their
/// table workers are on this one. What can't be looked at is returned too.
///
/// # Errors
/// When the server can't be reached.
pub async fn examine<S: SideMarker>(
    server: &Server<S>,
    others: &Subscriptions,
) -> Result<(Found, Subscriptions), Failure> {
    let session: Session<S, ReadOnly> = maintenance(server).await?;
    let mut look = Look {
        side: S::SIDE,
        remains: Vec::new(),
        unseen: Vec::new(),
    };
    let own = look.at("the subscriptions", subscriptions(&session).await);
    let own = own.map(|(found, remains)| {
        look.remains.extend(remains);
        found
    });
    let found = slots(&session, others).await;
    look.take("the replication slots", found);
    if let Some(own) = &own {
        let found = origins(&session, own).await;
        look.take("the replication origins", found);
    }
    let found = databases_and_sessions(&session).await;
    look.take("temporary databases and sessions", found);
    let found = rehearsals(&session).await;
    look.take("databases of rehearsals", found);
    let databases = session.databases().await?;
    session.close().await;
    let is_looked_into = |database: &str| {
        let remains = look.remains.iter();
        !remains
            .filter(|remain| matches!(remain.what, What::RehearsalDatabase { .. }))
            .any(|remain| remain.name == database)
    };
    let names: Vec<String> = databases
        .into_iter()
        .filter(|d| d.allows_connections && is_looked_into(&d.name))
        .map(|d| d.name)
        .collect();
    for database in &names {
        let found = inside(server, database).await;
        look.take(&format!("database {database}"), found);
    }
    Ok(((look.remains, look.unseen), own.unwrap_or_default()))
}

/// All subscriptions of a server by oid, with the migration where they are ours.
#[derive(Debug, Clone, Default)]
pub struct Subscriptions {
    /// The server's system identifier: part of the names of its table workers' slots.
    pub(super) system_identifier: String,
    pub(super) by_oid: BTreeMap<u32, Option<MigrationId>>,
}

struct Look {
    side: Side,
    remains: Vec<Remain>,
    unseen: Vec<Unseen>,
}

impl Look {
    fn at<T>(&mut self, what: &str, looked: Result<T, PgError>) -> Option<T> {
        looked
            .map_err(|error| {
                self.unseen.push(Unseen {
                    side: self.side,
                    what: what.to_owned(),
                    failure: error.into(),
                });
            })
            .ok()
    }

    fn take(&mut self, what: &str, looked: Result<Vec<Remain>, PgError>) {
        let found = self.at(what, looked);
        self.remains.extend(found.into_iter().flatten());
    }
}

async fn subscriptions<S: SideMarker>(
    session: &Session<S, ReadOnly>,
) -> Result<(Subscriptions, Vec<Remain>), PgError> {
    let doing = session.doing("look for subscriptions");
    let rows = doing.query(include_str!("subscriptions.sql"), &[]).await?;
    let mut found = Subscriptions {
        system_identifier: session.identity().await?,
        by_oid: BTreeMap::new(),
    };
    let mut remains = Vec::new();
    for row in &rows {
        let name: String = row.get("name");
        let migration = migration_of_object(&name);
        found.by_oid.insert(row.get("oid"), migration.clone());
        if migration.is_some() {
            remains.push(Remain {
                side: S::SIDE,
                database: row.get("database"),
                name,
                migration,
                what: What::Subscription {
                    enabled: row.get("enabled"),
                    working: row.get("working"),
                    slot: row.get("slot"),
                },
            });
        }
    }
    Ok((found, remains))
}

async fn slots<S: SideMarker>(
    session: &Session<S, ReadOnly>,
    others: &Subscriptions,
) -> Result<Vec<Remain>, PgError> {
    let doing = session.doing("look for replication slots");
    let rows = doing.query(include_str!("slots.sql"), &[]).await?;
    let limit = doing
        .query_opt(include_str!("../wal_watch/keep_size.sql"), &[])
        .await?;
    let limit_bytes = limit.and_then(|row| u64::try_from(row.get::<_, i64>(0)).ok());
    let mut remains = Vec::new();
    for row in &rows {
        let name: String = row.get("name");
        let own = migration_of_object(&name);
        let of_table_worker = own.is_none();
        let migration = match table_worker(&name, &others.system_identifier) {
            _ if own.is_some() => own,
            // Of another server, or of a subscription of somebody else.
            None => continue,
            Some(oid) => match others.by_oid.get(&oid) {
                Some(None) => continue,
                Some(Some(migration)) => Some(migration.clone()),
                None => None,
            },
        };
        let bytes = |column| row.get::<_, Option<i64>>(column).map(|n| n.max(0).unsigned_abs());
        remains.push(Remain {
            side: S::SIDE,
            database: row.get("database"),
            name,
            migration,
            what: What::Slot(SlotFacts {
                active: row.get("active"),
                wal_status: row.get("wal_status"),
                retained_bytes: bytes("retained"),
                lag_bytes: bytes("lag"),
                limit_bytes,
                of_table_worker,
            }),
        });
    }
    Ok(remains)
}

/// The oid of the subscription in `pg_<oid>_sync_<table>_<system identifier>`, where it is one of that server.
pub(crate) fn table_worker(slot: &str, system_identifier: &str) -> Option<u32> {
    let rest = slot.strip_prefix("pg_")?;
    let (oid, rest) = rest.split_once("_sync_")?;
    let (_, identifier) = rest.split_once('_')?;
    (identifier == system_identifier)
        .then(|| oid.parse().ok())
        .flatten()
}

/// Origins of pghaul's subscriptions, and of subscriptions that are gone.
async fn origins<S: SideMarker>(
    session: &Session<S, ReadOnly>,
    own: &Subscriptions,
) -> Result<Vec<Remain>, PgError> {
    let sql = "SELECT roname FROM pg_catalog.pg_replication_origin WHERE roname ~ '^pg_[0-9]+(_[0-9]+)?$' ORDER BY 1";
    let doing = session.doing("look for replication origins");
    let rows = doing.query(sql, &[]).await?;
    let names = rows.iter().map(|row| row.get::<_, String>(0));
    Ok(names
        .filter_map(|name| {
            let oid = name.split('_').nth(1)?.parse::<u32>().ok()?;
            let migration = match own.by_oid.get(&oid) {
                Some(None) => return None,
                Some(Some(migration)) => Some(migration.clone()),
                None => None,
            };
            Some(Remain {
                side: S::SIDE,
                database: None,
                name,
                migration,
                what: What::Origin,
            })
        })
        .collect())
}

async fn databases_and_sessions<S: SideMarker>(
    session: &Session<S, ReadOnly>,
) -> Result<Vec<Remain>, PgError> {
    let doing = session.doing("look for temporary databases and sessions");
    let rows = doing.query(include_str!("databases.sql"), &[]).await?;
    Ok(rows
        .iter()
        .filter_map(|row| {
            let name: String = row.get("name");
            let (migration, what) = if row.get::<_, &str>("what") == "database" {
                (migration_of_object(&name), What::TemporaryDatabase)
            } else {
                let mut parts = name.split('/').skip(1);
                let migration = parts.next().map(MigrationId::new);
                let epoch = Epoch(parts.next()?.parse().ok()?);
                let pid = row.get("pid");
                (migration, What::Session { pid, epoch })
            };
            Some(Remain {
                side: S::SIDE,
                database: row.get("database"),
                name,
                migration,
                what,
            })
        })
        .collect())
}

/// One that a check uses may vanish at any moment, so nobody looks into it.
async fn rehearsals<S: SideMarker>(session: &Session<S, ReadOnly>) -> Result<Vec<Remain>, PgError> {
    let found = throwaways(session).await?.into_iter();
    let remains = found.map(|Throwaway { name, in_use }| Remain {
        side: S::SIDE,
        database: None,
        name,
        migration: None,
        what: What::RehearsalDatabase { in_use },
    });
    Ok(remains.collect())
}

/// What only a session in the database itself can see.
async fn inside<S: SideMarker>(server: &Server<S>, database: &str) -> Result<Vec<Remain>, PgError> {
    let session: Session<S, ReadOnly> = server.connect(database).await?;
    let remain = |name: String, migration, what| Remain {
        side: S::SIDE,
        database: Some(database.to_owned()),
        name,
        migration,
        what,
    };
    let sql = "SELECT pubname::text FROM pg_catalog.pg_publication WHERE pubname ~ '^pghaul_[a-z0-9]{8}_' ORDER BY 1";
    let rows = session.doing("look for publications").query(sql, &[]).await?;
    let names = rows.iter().map(|row| row.get::<_, String>(0));
    let mut remains: Vec<Remain> = names
        .map(|name| remain(name.clone(), migration_of_object(&name), What::Publication))
        .collect();
    let doing = session.doing("look for the schema pghaul");
    let there = doing
        .query_one("SELECT pg_catalog.to_regclass('pghaul.owner') IS NOT NULL", &[])
        .await?;
    if there.get(0) {
        let owner = doing
            .query_opt("SELECT migration, epoch, head FROM pghaul.owner", &[])
            .await?;
        let (migration, epoch, head) = owner.map_or((None, 0, String::new()), |row| {
            (
                Some(MigrationId::new(row.get::<_, String>(0))),
                row.get(1),
                row.get(2),
            )
        });
        remains.push(remain(
            "pghaul".to_owned(),
            migration,
            What::Schema { epoch, head },
        ));
    }
    session.close().await;
    Ok(remains)
}

#[cfg(test)]
mod tests {
    use super::table_worker;

    #[test]
    fn slots_of_table_workers_are_told_by_the_subscribers_identity() {
        assert_eq!(table_worker("pg_16410_sync_16394_7001", "7001"), Some(16410));
        for other in [
            "pg_16410_sync_16394_7002",
            "pg_x_sync_16394_7001",
            "pg_16410_sync_7001",
            "shop",
        ] {
            assert_eq!(table_worker(other, "7001"), None, "{other}");
        }
    }
}
