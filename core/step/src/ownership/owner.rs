//! The row of `pghaul.owner`: whose the target database is, as a claim and as a look see it.

use super::{Ownership, is_whole};
use crate::recorder::Recorder;
use pghaul_core::journal::Head;
use pghaul_core::{Code, DatabaseName, Failure, Seq, Side, failures};
use pghaul_postgres::{Doing, PgError, Right, Session, Target};

/// The row of `pghaul.owner`.
pub(super) struct Owner {
    migration: String,
    epoch: i32,
    /// The end of the journal as the target last heard of it.
    seen: Head,
}

impl Owner {
    pub(super) async fn read<R: Right>(doing: &Doing<'_, R>, lock: &str) -> Result<Option<Self>, PgError> {
        let sql = format!("SELECT migration, epoch, journal_seq, head FROM pghaul.owner{lock}");
        let row = doing.query_opt(&sql, &[]).await?;
        Ok(row.map(|row| Self {
            migration: row.get(0),
            epoch: row.get(1),
            seen: seen(row.get(2), row.get(3)),
        }))
    }
}

const OLD_COPY: &str = "this journal is an old copy; use the one that was last run with";

/// Why a claim is refused: of what is not ours, with an old copy of the journal, and by a runner that was followed by another.
pub(super) async fn judge(
    ownership: &Ownership,
    owner: Option<Owner>,
    database: &DatabaseName,
    journal: &Recorder,
) -> Result<(), Failure> {
    let owner = its_own(ownership, owner, database)?;
    let end = journal.head().seq;
    let seq = owner.seen.seq;
    if seq > end {
        let message = format!("the target has seen event {seq} of this migration, the journal ends at {end}");
        return Err(refused(Code::JournalStale, message, database).with_hint(OLD_COPY));
    }
    if owner.epoch > ownership.epoch() {
        return Err(newer_runner(ownership, &owner, database));
    }
    // An old copy that was run with has as many events, but others.
    if !journal.continues(&owner.seen).await? {
        let message =
            format!("the target has seen another event {seq} of this migration than the journal holds");
        return Err(refused(Code::JournalStale, message, database).with_hint(OLD_COPY));
    }
    Ok(())
}

/// Why the session's database is not this migration's any more, where it was before. An old copy of the journal is another
/// matter.
///
/// # Errors
/// When the server can't be asked.
pub async fn problem<R: Right>(
    session: &Session<Target, R>,
    ownership: &Ownership,
    database: &DatabaseName,
    head: &Head,
) -> Result<Option<Failure>, Failure> {
    if !is_whole(session).await? {
        // The migration was removed here, or the schema was dropped.
        return Ok(Some(failures::owner_row_gone()));
    }
    let doing = session.doing("read pghaul.owner");
    Ok(
        match its_own(ownership, Owner::read(&doing, "").await?, database) {
            Err(failure) => Some(failure),
            // A runner that has begun since has told the target of a later event.
            Ok(owner) if owner.epoch > ownership.epoch() && owner.seen.seq <= head.seq => {
                Some(newer_runner(ownership, &owner, database))
            }
            Ok(_) => None,
        },
    )
}

fn its_own(ownership: &Ownership, owner: Option<Owner>, database: &DatabaseName) -> Result<Owner, Failure> {
    let Some(owner) = owner else {
        let message = format!("pghaul.owner in {database} is empty");
        let failure = refused(Code::TargetNotOurs, message, database);
        return Err(failure.with_hint("somebody has changed the schema pghaul; look into it"));
    };
    if owner.migration != ownership.migration.as_str() {
        let migration = &owner.migration;
        let message = format!("database {database} on the target belongs to the migration {migration}");
        return Err(refused(Code::TargetNotOurs, message, database)
            .with_hint("finish that migration first, with the journal that it began with"));
    }
    Ok(owner)
}

fn newer_runner(ownership: &Ownership, owner: &Owner, database: &DatabaseName) -> Failure {
    let (newer, own) = (owner.epoch, ownership.epoch);
    let message = format!("a newer runner (epoch {newer}) works on database {database}; this one is {own}");
    refused(Code::AlreadyRunning, message, database).with_hint("use the journal that the newer runner uses")
}

fn refused(code: Code, message: String, database: &DatabaseName) -> Failure {
    Failure::new(code, message)
        .with_side(Side::Target)
        .with_database(database.as_str())
}

/// What the row says of the journal's end: its number, and a head as text.
pub(super) fn seen(number: i64, head: &str) -> Head {
    let hash = head.split_once(':').map_or("", |(_, hash)| hash);
    Head {
        seq: Seq(number.unsigned_abs()),
        hash: hash.to_owned(),
    }
}
