//! Migrations that are over: what they have moved may be in use.

use crate::journals;
use crate::servers::Servers;
use crate::view::View;
use pghaul_core::{DatabaseName, DatabaseState, Failure};
use pghaul_postgres::ReadOnly;
use pghaul_step::check::maintenance;
use pghaul_store::JournalFile;

/// The finished migration between these servers whose databases are asked for again, and are on the target: what is there
/// may be in use, and is no obstacle to be cleared away.
pub(super) async fn finished(
    journal: &JournalFile,
    servers: &Servers,
    selected: &[DatabaseName],
) -> Result<Option<View>, Failure> {
    for entry in journals::ended_between(journal, &servers.identities())?
        .iter()
        .rev()
    {
        let open = journal.read_migration(&entry.id)?;
        let loaded = open.load()?;
        let moved = |name: &&DatabaseName| {
            let record = loaded.migration.databases.get(*name);
            record.is_some_and(|record| record.state == DatabaseState::Removed && record.proof.is_some())
        };
        let asked: Vec<&str> = selected.iter().filter(moved).map(DatabaseName::as_str).collect();
        if asked.is_empty() {
            continue;
        }
        let target = maintenance::<_, ReadOnly>(&servers.target).await?;
        let sql = "SELECT 1 FROM pg_catalog.pg_database WHERE datname = ANY ($1::text[]) LIMIT 1";
        let doing = target.doing("look for the databases of a finished migration");
        if doing.query_opt(sql, &[&asked]).await?.is_some() {
            let times = journals::times(&open, None)?;
            return Ok(Some(View::of_journal(
                &entry.id,
                &loaded.migration,
                loaded.head,
                &times,
            )));
        }
    }
    Ok(None)
}
