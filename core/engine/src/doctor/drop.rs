//! Drops what is left of one migration whose journal is gone. Never data: only replication objects, the schema
//! `pghaul`, and databases that never got their name.

use super::examine::{Subscriptions, examine};
use super::{Remain, What};
use pghaul_core::id::migration_of_object;
use pghaul_core::{Code, Epoch, Failure, MigrationId, Side};
use pghaul_postgres::{Ident, RELEASE_TIMEOUT, ReadWrite, Server, Session, SideMarker, Source, Target};
use pghaul_step::check::maintenance;
use pghaul_step::ownership::{drop_schema, effects};
use pghaul_step::{OnTarget, Registry};
use std::time::Duration;

/// How long sessions may take to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long to wait between two looks at something that is to end.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What is to be cleaned, and where.
pub struct Cleanup<'a> {
    /// The migration.
    pub migration: &'a MigrationId,
    /// The source, where it is known.
    pub source: Option<&'a Server<Source>>,
    /// The target, where it is known.
    pub target: Option<&'a Server<Target>>,
    /// The steps, which know what else their effects are.
    pub registry: &'a Registry,
}

impl Cleanup<'_> {
    /// Drops everything of the migration on the servers that are known. Interrupted at any instant, it can be
    /// called again.
    ///
    /// # Errors
    /// What could not be dropped; what came before it is dropped. [`Code::TargetNotOurs`] where somebody has put
    /// something of his own into the schema `pghaul`.
    pub async fn run(&self) -> Result<(), Failure> {
        if let Some(target) = self.target {
            self.end_sessions(target).await?;
        }
        if let Some(source) = self.source {
            self.end_sessions(source).await?;
        }
        if let Some(target) = self.target {
            // The subscriptions first: while one works, its slot is in use.
            let remains = self.remains(target, &Subscriptions::default()).await?;
            for remain in remains {
                // The bookkeeping in a temporary database goes with it.
                let temporary = remain.database.as_deref().and_then(migration_of_object).is_some();
                match remain.what {
                    What::Subscription { .. } => self.drop_subscription(target, &remain).await?,
                    What::Schema { .. } if !temporary => self.drop_schema(target, &remain).await?,
                    What::TemporaryDatabase => drop_database(target, &remain.name).await?,
                    _ => {}
                }
            }
        }
        if let Some(source) = self.source {
            for remain in self.remains(source, &Subscriptions::default()).await? {
                match remain.what {
                    What::Slot(_) => drop_slot(source, &remain.name).await?,
                    What::Publication => drop_publication(source, &remain).await?,
                    _ => {}
                }
            }
        }
        Ok(())
    }

    async fn remains<S: SideMarker>(
        &self,
        server: &Server<S>,
        others: &Subscriptions,
    ) -> Result<Vec<Remain>, Failure> {
        let ((remains, _), _) = examine(server, others).await?;
        let ours = |remain: &Remain| remain.migration.as_ref() == Some(self.migration);
        Ok(remains.into_iter().filter(ours).collect())
    }

    async fn end_sessions<S: SideMarker>(&self, server: &Server<S>) -> Result<(), Failure> {
        let session: Session<S, ReadWrite> = maintenance(server).await?;
        session
            .terminate_older_epochs(self.migration, Epoch(u32::MAX), PATIENCE)
            .await?;
        Ok(())
    }

    /// Drops a subscription without its slot, and before it, while its oid still tells which they are, the slots of
    /// its table workers.
    async fn drop_subscription(&self, target: &Server<Target>, remain: &Remain) -> Result<(), Failure> {
        let session: Session<Target, ReadWrite> = target.connect(database(remain)?).await?;
        let name = Ident::new(remain.name.as_str())?;
        session
            .doing("disable the subscription")
            .batch(&format!("ALTER SUBSCRIPTION {name} DISABLE"))
            .await?;
        session.end_workers(&remain.name, RELEASE_TIMEOUT).await?;
        let sql = "SELECT oid FROM pg_catalog.pg_subscription WHERE subname = $1";
        let doing = session.doing("find the subscription");
        let oid: u32 = doing.query_one(sql, &[&remain.name]).await?.get(0);
        if let Some(source) = self.source {
            let only = Subscriptions {
                system_identifier: session.identity().await?,
                by_oid: [(oid, migration_of_object(&remain.name))].into(),
            };
            for slot in self.remains(source, &only).await? {
                if matches!(&slot.what, What::Slot(facts) if facts.of_table_worker) {
                    drop_slot(source, &slot.name).await?;
                }
            }
        }
        for statement in [
            format!("ALTER SUBSCRIPTION {name} SET (slot_name = NONE)"),
            format!("DROP SUBSCRIPTION {name}"),
        ] {
            session.doing("drop the subscription").batch(&statement).await?;
        }
        Ok(())
    }

    async fn drop_schema(&self, target: &Server<Target>, remain: &Remain) -> Result<(), Failure> {
        let database = database(remain)?;
        let mut session: Session<Target, ReadWrite> = target.connect(database).await?;
        let effects = effects(&session, "").await?;
        let role = session.role().await?.name;
        let of = OnTarget {
            database,
            role: &role,
        };
        let transaction = session.transaction().await?;
        let doing = transaction.doing("drop the schema pghaul");
        let sql = "SELECT migration FROM pghaul.owner FOR UPDATE";
        let owner: Option<String> = doing.query_opt(sql, &[]).await?.map(|row| row.get(0));
        if owner.as_deref() != Some(self.migration.as_str()) {
            return Ok(());
        }
        let strangers = doing.query(include_str!("strangers.sql"), &[&false]).await?;
        if let Some(stranger) = strangers.first() {
            return Err(strangers_here(remain, stranger.get(0)));
        }
        drop_schema(&doing).await?;
        for statement in self.registry.taking_back(&effects, of)? {
            let doing = transaction.doing("take back what was set");
            doing.batch(&statement).await?;
        }
        transaction.commit().await?;
        Ok(())
    }
}

fn database(remain: &Remain) -> Result<&str, Failure> {
    let database = remain.database.as_deref();
    database.ok_or_else(|| Failure::bug(format!("{} is in no database", remain.name)))
}

fn strangers_here(remain: &Remain, stranger: String) -> Failure {
    Failure::new(
        Code::TargetNotOurs,
        format!("{} holds {stranger}, which pghaul did not make", remain.name),
    )
    .with_side(Side::Target)
    .with_database(remain.database.clone().unwrap_or_default())
    .with_hint("look into it, and move or drop it yourself; then run the same command again")
}

/// Drops a slot, after ending the walsender that uses it.
pub(crate) async fn drop_slot(source: &Server<Source>, name: &str) -> Result<(), Failure> {
    let session: Session<Source, ReadWrite> = maintenance(source).await?;
    Ok(session.release_slot(name, RELEASE_TIMEOUT).await?)
}

async fn drop_publication(source: &Server<Source>, remain: &Remain) -> Result<(), Failure> {
    let session: Session<Source, ReadWrite> = source.connect(database(remain)?).await?;
    let statement = format!("DROP PUBLICATION IF EXISTS {}", Ident::new(remain.name.as_str())?);
    session.doing("drop the publication").batch(&statement).await?;
    Ok(())
}

/// Drops a database that never got its name, and therefore never a row; that there is none is looked at all the same.
async fn drop_database(target: &Server<Target>, name: &str) -> Result<(), Failure> {
    let session: Session<Target, ReadWrite> = target.connect(name).await?;
    let doing = session.doing("look into the temporary database");
    let strangers = doing.query(include_str!("strangers.sql"), &[&true]).await?;
    session.close().await;
    if let Some(stranger) = strangers.first() {
        let remain = Remain {
            side: Side::Target,
            database: Some(name.to_owned()),
            name: name.to_owned(),
            migration: None,
            what: What::TemporaryDatabase,
        };
        return Err(strangers_here(&remain, stranger.get(0)));
    }
    let statement = format!("DROP DATABASE IF EXISTS {}", Ident::new(name)?);
    let administration: Session<Target, ReadWrite> = maintenance(target).await?;
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        match administration
            .doing("drop the temporary database")
            .batch(&statement)
            .await
        {
            // pghaul's own session in it has said goodbye, but its server process may need a moment to end.
            Err(error) if error.sqlstate() == Some("55006") && tokio::time::Instant::now() < deadline => {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            other => return Ok(other?),
        }
    }
}
