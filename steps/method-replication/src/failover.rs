//! Failover slots (PostgreSQL 17 and later): standbys of the source keep copies of them, so that the subscription goes on
//! after one is promoted. See [logical replication failover](https://www.postgresql.org/docs/current/logical-replication-failover.html).

use pghaul_step::postgres::{Lsn, ReadOnly, Right, Session, Source, Target};
use pghaul_step::{Context, Database, Failure, ServerPosition};

/// The first version that has failover slots.
const FAILOVER_SLOTS: u32 = 170_000;

/// Whether a slot is made as a failover slot.
///
/// Such a slot sends nothing that the standbys of `synchronized_standby_slots` lack. Where one of these is not connected, an
/// ordinary slot is made: replication would not begin otherwise.
pub(crate) async fn is_possible<R: Right>(source: &Session<Source, R>) -> Result<bool, Failure> {
    if source.server_version() < FAILOVER_SLOTS {
        return Ok(false);
    }
    let named = source
        .setting("synchronized_standby_slots")
        .await?
        .unwrap_or_default();
    let named: Vec<&str> = slot_names(&named).collect();
    let doing = source.doing("read the slots of standbys");
    let active = doing.query(include_str!("standby_slots.sql"), &[]).await?;
    let active: Vec<String> = active.iter().map(|row| row.get(0)).collect();
    let Some(missing) = named
        .into_iter()
        .find(|name| !active.iter().any(|slot| slot == name))
    else {
        return Ok(true);
    };
    tracing::warn!(
        slot = missing,
        "a slot that synchronized_standby_slots on the source names is not in use; pghaul's slot is not made a failover slot"
    );
    Ok(false)
}

/// The option of CREATE SUBSCRIPTION that leaves a failover slot one.
pub(crate) async fn option<R: Right>(
    target: &Session<Target, R>,
    source: &Session<Source, ReadOnly>,
    slot: &str,
) -> Result<&'static str, Failure> {
    let known = target.server_version() >= FAILOVER_SLOTS;
    let is_failover = known && source.slot(slot).await?.is_some_and(|slot| slot.failover);
    Ok(if is_failover { ", failover = true" } else { "" })
}

/// Whether the source was a standby that had everything that its primary had sent to the target.
///
/// It has a copy of the failover slot; it used a physical slot that `synchronized_standby_slots` of the primary named when a
/// state was last proven; and it was promoted after that position.
pub(crate) async fn is_promoted_without_loss(
    ctx: &Context<Database>,
    source: &Session<Source, ReadOnly>,
    slot: &str,
    then: &ServerPosition,
    now: &ServerPosition,
) -> Result<bool, Failure> {
    let (Some(waited_for), true) = (
        then.standby_slots.as_deref(),
        then.system_identifier == now.system_identifier && then.timeline < now.timeline,
    ) else {
        return Ok(false);
    };
    let copied = source
        .slot(slot)
        .await?
        .is_some_and(|slot| slot.failover && slot.synced);
    let own_slot = source.setting("primary_slot_name").await?.unwrap_or_default();
    if !copied || !slot_names(waited_for).any(|name| name == own_slot) {
        return Ok(false);
    }
    let replication = ctx
        .source_server()
        .connect_replication(ctx.database().as_str())
        .await?;
    let command = format!("TIMELINE_HISTORY {}", now.timeline);
    let rows = replication
        .command("read the history of the timeline", &command)
        .await?;
    let history = rows.first().and_then(|row| row.get(1)?.as_deref());
    let left = history.and_then(|history| left_at(history, then.timeline));
    Ok(left.is_some_and(|left| then.lsn.parse().is_ok_and(|proven: Lsn| proven <= left)))
}

/// Names of slots have no capital letters and no special characters, so quotes and spaces mean nothing.
fn slot_names(list: &str) -> impl Iterator<Item = &str> {
    list.split(',')
        .map(|name| name.trim().trim_matches('"'))
        .filter(|name| !name.is_empty())
}

/// Where a timeline was left, from the file of a later one's history: lines of timeline, position and reason.
fn left_at(history: &str, timeline: i32) -> Option<Lsn> {
    let lines = history.lines().map(str::split_whitespace);
    let mut of_timeline = lines.filter_map(|mut words| {
        let same = words.next()?.parse() == Ok(timeline);
        same.then(|| words.next()?.parse().ok())?
    });
    of_timeline.next()
}

#[cfg(test)]
mod tests {
    use super::{left_at, slot_names};

    #[test]
    fn a_history_tells_where_a_timeline_was_left() {
        let history =
            "1\t0/3000110\tno recovery target specified\n\n2\t1/A0\tbefore 2026-01-01 00:00:00+00\n";
        assert_eq!(left_at(history, 1), "0/3000110".parse().ok());
        assert_eq!(left_at(history, 2), "1/A0".parse().ok());
        assert_eq!(left_at(history, 3), None);
        assert_eq!(left_at("", 1), None);
    }

    #[test]
    fn names_of_slots_are_read() {
        let read: Vec<&str> = slot_names(" a, \"b_1\" ,").collect();
        assert_eq!(read, ["a", "b_1"]);
        assert_eq!(slot_names("").count(), 0);
    }
}
