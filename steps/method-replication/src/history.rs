//! Whether a server is in an earlier state than one that was proven.
//!
//! What a slot has confirmed is never sent again, and what a subscription has applied is skipped. So a target that was
//! put back misses changes, and so does one whose source was put back, without any error. Each proof notes where both
//! servers are in their own histories, and leaves a mark in the target and in the comment of the source's publication; the
//! next one compares.

use crate::failover;
use crate::publication::{marks, set_marks};
use pghaul_contracts::{EffectKey, PublicationOutput, SlotOutput};
use pghaul_step::postgres::{Lsn, ReadOnly, Right, Session, Source, Target};
use pghaul_step::{
    Code, Context, Database, Decoded, Failure, Positions, Proof, ServerPosition, Side, failures,
};
use std::collections::BTreeMap;

/// Where both servers are.
pub(crate) async fn positions<R: Right>(
    source: &Session<Source, ReadOnly>,
    target: &Session<Target, R>,
) -> Result<Positions, Failure> {
    Ok(Positions {
        source: source.position().await?,
        target: target.position().await?,
        decoded: BTreeMap::new(),
    })
}

/// What these slots have decoded.
pub(crate) async fn decoded(
    source: &Session<Source, ReadOnly>,
    slots: impl Iterator<Item = &String>,
) -> Result<BTreeMap<String, Decoded>, Failure> {
    let mut all = BTreeMap::new();
    for slot in slots {
        let decoded = source.decoded(slot).await?;
        all.extend(decoded.map(|decoded| (slot.clone(), decoded)));
    }
    Ok(all)
}

/// Slots that have decoded less than when a state was last proven: each was dropped, and created again under its name.
async fn created_again(
    ctx: &Context<Database>,
    source: &Session<Source, ReadOnly>,
    then: &BTreeMap<String, Decoded>,
) -> Result<Vec<Failure>, Failure> {
    let now = decoded(source, then.keys()).await?;
    let is_behind =
        |(slot, then): &(&String, &Decoded)| now.get(*slot).is_some_and(|now| now.is_behind(then));
    let behind = then.iter().filter(is_behind);
    Ok(behind
        .map(|(slot, _)| failures::slot_created_again(ctx.database(), slot))
        .collect())
}

/// What the journal knows: positions of the last proof, or of the slot's creation where there was none yet.
fn noted(ctx: &Context<Database>, slot: &SlotOutput) -> Option<Positions> {
    let proven = ctx.last_proof().and_then(|proof| proof.positions);
    proven.or_else(|| slot.positions.clone())
}

/// The position that a proof leaves as its mark.
fn mark_of(proof: &Proof) -> Option<String> {
    proof.positions.as_ref()?;
    proof.fence.clone()
}

/// Compares where the servers are with what the journal knows.
pub(crate) async fn compare<R: Right>(
    ctx: &Context<Database>,
    source: &Session<Source, ReadOnly>,
    target: &Session<Target, R>,
    problems: &mut Vec<Failure>,
) -> Result<(), Failure> {
    let slot = ctx.finished::<SlotOutput>()?;
    // Before the end of the source's WAL: on a source that is written to, both advance.
    let confirmed = source
        .slot(&slot.name)
        .await?
        .and_then(|slot| slot.confirmed_flush_lsn);
    let now = positions(source, target).await?;
    let noted = noted(ctx, &slot);
    // The mark was written after what it proves. A promoted standby may lack it and have lost nothing of the target's.
    let is_promoted = noted
        .as_ref()
        .is_some_and(|then| then.source.timeline < now.source.timeline);
    let decoded_then = noted
        .as_ref()
        .map(|then| then.decoded.clone())
        .unwrap_or_default();
    let found = match noted {
        Some(then) => [
            source_went_back(ctx, source, &slot.name, &then.source, &now.source).await?,
            went_back(Side::Target, &then.target, &now.target),
        ],
        None => [replaced(&slot, &now.source), None],
    };
    let mut sentences: Vec<(Side, String)> = found.into_iter().flatten().collect();
    if let Some(confirmed) = confirmed
        && parsed(&now.source.lsn).is_some_and(|lsn| confirmed > lsn)
    {
        let sentence = format!(
            "its WAL ends at {}, and the target has confirmed {confirmed}",
            now.source.lsn
        );
        sentences.push((Side::Source, sentence));
    }
    sentences.extend(target_without_mark(ctx).await?);
    if !is_promoted {
        sentences.extend(source_without_mark(ctx, source).await?);
    }
    // The slots of a source that was put back have decoded less, too, and a standby has statistics of its own.
    if !is_promoted && sentences.iter().all(|(side, _)| *side != Side::Source) {
        problems.extend(created_again(ctx, source, &decoded_then).await?);
    }
    let one_of = |side: Side| sentences.iter().find(|(of, _)| *of == side);
    let problem = |(side, sentence): &(Side, String)| failure(ctx, *side, sentence);
    problems.extend(
        [Side::Source, Side::Target]
            .into_iter()
            .filter_map(one_of)
            .map(problem),
    );
    Ok(())
}

/// Whether the target does not have the mark of the last proof.
async fn target_without_mark(ctx: &Context<Database>) -> Result<Option<(Side, String)>, Failure> {
    let Some(fence) = ctx.last_proof().as_ref().and_then(mark_of) else {
        return Ok(None);
    };
    let mark = EffectKey::Proven(fence).to_string();
    if ctx.effects(EffectKey::PROVEN).await?.contains(&mark) {
        return Ok(None);
    }
    let sentence = "it does not have the mark that the last proof left in the schema pghaul";
    Ok(Some((Side::Target, sentence.to_owned())))
}

/// Whether the source does not have the mark of the last proof, where that could leave one.
async fn source_without_mark(
    ctx: &Context<Database>,
    source: &Session<Source, ReadOnly>,
) -> Result<Option<(Side, String)>, Failure> {
    let Some(fence) = ctx.last_proof().as_ref().and_then(mark_of) else {
        return Ok(None);
    };
    let mark = EffectKey::ProvenOnSource(fence.clone()).to_string();
    if !ctx.effects(EffectKey::PROVEN_ON_SOURCE).await?.contains(&mark) {
        return Ok(None);
    }
    let publication = ctx.finished::<PublicationOutput>()?.name;
    // One that is gone altogether is another failure.
    let is_gone = source.publication(&publication).await?.is_none();
    if is_gone || marks(source, &publication).await?.contains(&fence) {
        return Ok(None);
    }
    let sentence = "its publication does not have the mark that the last proof left in its comment";
    Ok(Some((Side::Source, sentence.to_owned())))
}

/// Leaves the mark of a proof on both servers, and in the target whether the source has it. That of the last one stays until
/// the journal knows this one.
pub(crate) async fn mark(ctx: &Context<Database>, proof: &Proof) -> Result<(), Failure> {
    let Some(fence) = mark_of(proof) else {
        return Ok(());
    };
    let last = ctx.last_proof().as_ref().and_then(mark_of);
    let publication = ctx.finished::<PublicationOutput>()?.name;
    let both: Vec<String> = last.iter().cloned().chain([fence.clone()]).collect();
    let is_on_source = set_marks(ctx, &publication, &both).await?;
    let mut old = ctx.effects(EffectKey::PROVEN).await?;
    old.extend(ctx.effects(EffectKey::PROVEN_ON_SOURCE).await?);
    if let Some(last) = last {
        old.remove(&EffectKey::Proven(last.clone()).to_string());
        old.remove(&EffectKey::ProvenOnSource(last).to_string());
    }
    let old: Vec<String> = old.into_iter().collect();
    let mut target = ctx.target().await?;
    let transaction = ctx.begin(&mut target).await?;
    transaction.forget_each(&old).await?;
    transaction
        .effect_again(&EffectKey::Proven(fence.clone()).to_string())
        .await?;
    if is_on_source {
        transaction
            .effect_again(&EffectKey::ProvenOnSource(fence).to_string())
            .await?;
    }
    transaction.commit("mark the proof").await
}

fn parsed(lsn: &str) -> Option<Lsn> {
    lsn.parse().ok()
}

/// The same of the source; a standby that was promoted may have had everything.
async fn source_went_back(
    ctx: &Context<Database>,
    source: &Session<Source, ReadOnly>,
    slot: &str,
    then: &ServerPosition,
    now: &ServerPosition,
) -> Result<Option<(Side, String)>, Failure> {
    let found = went_back(Side::Source, then, now);
    if found.is_some() && failover::is_promoted_without_loss(ctx, source, slot, then, now).await? {
        return Ok(None);
    }
    Ok(found)
}

/// Why a server is in an earlier state than before, or may be.
fn went_back(side: Side, then: &ServerPosition, now: &ServerPosition) -> Option<(Side, String)> {
    let sentence = if then.system_identifier != now.system_identifier {
        "it is another server".to_owned()
    } else if then.timeline != now.timeline {
        format!(
            "it was on timeline {} and is on timeline {}: it was promoted, or recovered to a point in time",
            then.timeline, now.timeline
        )
    } else if parsed(&now.lsn) < parsed(&then.lsn) {
        format!("its WAL ended at {} and ends at {} now", then.lsn, now.lsn)
    } else if then.files_changed.is_some()
        && now.files_changed.is_some()
        && then.files_changed != now.files_changed
    {
        "the files of its data directory were replaced, or given to another owner".to_owned()
    } else {
        return None;
    };
    Some((side, sentence))
}

/// The same where the journal knows only what older programs noted of the source.
fn replaced(slot: &SlotOutput, now: &ServerPosition) -> Option<(Side, String)> {
    let then = ServerPosition {
        system_identifier: slot.system_identifier.clone(),
        timeline: slot.timeline,
        lsn: slot.consistent_point.to_string(),
        files_changed: None,
        standby_slots: None,
    };
    went_back(Side::Source, &then, now)
}

fn failure(ctx: &Context<Database>, side: Side, sentence: &str) -> Failure {
    let (code, missing) = match side {
        Side::Source => (
            Code::SourceWentBack,
            "the target may have changes that the source has lost, and skip new ones",
        ),
        Side::Target => (
            Code::TargetWentBack,
            "changes that it had confirmed may be missing, and the source does not send them again",
        ),
    };
    Failure::new(
        code,
        format!("the {side} may be in an earlier state than one that was proven: {missing}"),
    )
    .with_side(side)
    .with_cause(sentence)
    .with_hint(format!(
        "{}; see the page about failover",
        failures::copied_anew(ctx.database())
    ))
}

#[cfg(test)]
mod tests {
    use super::went_back;
    use pghaul_step::{ServerPosition, Side};

    fn position(timeline: i32, lsn: &str, files_changed: Option<i64>) -> ServerPosition {
        ServerPosition {
            system_identifier: "7".into(),
            timeline,
            lsn: lsn.into(),
            files_changed,
            standby_slots: None,
        }
    }

    #[test]
    fn a_later_position_of_the_same_history_is_no_way_back() {
        let then = position(1, "0/FFFFFFF0", Some(5));
        let is_back = |now: &ServerPosition| went_back(Side::Target, &then, now).is_some();
        assert!(!is_back(&then));
        assert!(!is_back(&position(1, "1/0", Some(5))));
        assert!(!is_back(&position(1, "1/0", None)));
        assert!(is_back(&position(1, "0/FFFFFFE0", Some(5))));
        assert!(is_back(&position(2, "1/0", Some(5))));
        assert!(is_back(&position(1, "1/0", Some(6))));
        let mut other = position(1, "1/0", Some(5));
        other.system_identifier = "8".into();
        assert!(is_back(&other));
    }
}
