//! What is wrong with what was found.

use super::{Remain, SlotFacts, What};
use pghaul_core::id::database_of_object;
use pghaul_core::{MigrationId, Side};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// So much of the limit, in percent, is near it.
const NEAR: u64 = 80;

/// What the journal knows of a migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// It goes on.
    Open {
        /// The numbers of the databases that are still copied: their slots wait for a subscription.
        copying: BTreeSet<u32>,
    },
    /// Every one of its databases is removed.
    Ended,
}

/// Which servers were looked at: only then is something missing there.
#[derive(Debug, Clone, Copy)]
pub struct Looked {
    /// The source.
    pub source: bool,
    /// The target.
    pub target: bool,
}

/// Something that is wrong with a remain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Trouble {
    /// The journal says that its migration is removed.
    Orphaned,
    /// The journal does not know its migration.
    Unknown,
    /// What it works with is gone: the slot of a subscription, or the subscription of a slot.
    Alone {
        /// What is missing.
        missing: &'static str,
    },
    /// The slot has lost WAL that was still needed: its subscription can never go on.
    Lost,
    /// The slot is about to be lost.
    NearLimit {
        /// The WAL that is kept for it, in bytes.
        retained_bytes: u64,
        /// How much may be, in bytes.
        limit_bytes: u64,
    },
    /// Nobody reads the slot: the WAL that is kept for it grows.
    Inactive,
    /// The subscription is disabled: it does not follow, and its slot keeps WAL.
    Disabled,
    /// The check that made the database was killed, and nothing has dropped it yet.
    Abandoned,
    /// The subscription is enabled, but no worker of it runs just now.
    NotWorking,
}

/// What is wrong with each of the remains, in their order.
pub fn judge(remains: &[Remain], known: &BTreeMap<MigrationId, Known>, looked: Looked) -> Vec<Vec<Trouble>> {
    let slots: BTreeSet<&str> = remains
        .iter()
        .filter(|r| r.side == Side::Source && matches!(r.what, What::Slot(_)))
        .map(|r| r.name.as_str())
        .collect();
    let subscribed: BTreeSet<&str> = remains
        .iter()
        .filter_map(|r| match &r.what {
            What::Subscription { slot, .. } => slot.as_deref(),
            _ => None,
        })
        .collect();
    let own = |remain: &Remain| {
        let mut troubles = Vec::new();
        let waits = waits_for_subscription(remain, known);
        match &remain.what {
            What::Slot(facts) => of_slot(facts, waits, &mut troubles),
            What::Subscription { enabled: false, .. } => troubles.push(Trouble::Disabled),
            What::Subscription { working: false, .. } => troubles.push(Trouble::NotWorking),
            What::RehearsalDatabase { in_use: false } => troubles.push(Trouble::Abandoned),
            _ => {}
        }
        match &remain.what {
            What::Slot(facts) => {
                let without = if facts.of_table_worker {
                    remain.migration.is_none()
                } else {
                    !subscribed.contains(remain.name.as_str())
                };
                if looked.target && remain.side == Side::Source && without && !waits {
                    troubles.push(Trouble::Alone {
                        missing: "subscription",
                    });
                }
            }
            What::Subscription { slot, .. } => {
                let missing = slot.as_deref().is_none_or(|slot| !slots.contains(slot));
                if looked.source && remain.side == Side::Target && missing {
                    troubles.push(Trouble::Alone { missing: "slot" });
                }
            }
            What::Origin if remain.migration.is_none() => troubles.push(Trouble::Alone {
                missing: "subscription",
            }),
            _ => {}
        }
        match remain.migration.as_ref().map(|id| known.get(id)) {
            Some(Some(Known::Open { .. })) => {}
            Some(Some(Known::Ended)) => troubles.push(Trouble::Orphaned),
            Some(None) => troubles.push(Trouble::Unknown),
            // Said by what is missing.
            None => {}
        }
        troubles
    };
    remains.iter().map(own).collect()
}

/// Whether the slot is that of a database whose initial copy is not finished: nobody is to read it yet.
fn waits_for_subscription(remain: &Remain, known: &BTreeMap<MigrationId, Known>) -> bool {
    let copying = match remain.migration.as_ref().and_then(|id| known.get(id)) {
        Some(Known::Open { copying }) => copying,
        _ => return false,
    };
    database_of_object(&remain.name).is_some_and(|number| copying.contains(&number))
}

fn of_slot(facts: &SlotFacts, waits: bool, troubles: &mut Vec<Trouble>) {
    if facts.wal_status.as_deref() == Some("lost") {
        troubles.push(Trouble::Lost);
        return;
    }
    if let (Some(retained_bytes), Some(limit_bytes)) = (facts.retained_bytes, facts.limit_bytes)
        && retained_bytes.saturating_mul(100) >= limit_bytes.saturating_mul(NEAR)
    {
        troubles.push(Trouble::NearLimit {
            retained_bytes,
            limit_bytes,
        });
    }
    if !facts.active && !waits {
        troubles.push(Trouble::Inactive);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "k3v9x2ab";

    fn remain(side: Side, name: &str, what: What) -> Remain {
        let migration = pghaul_core::id::migration_of_object(name);
        Remain {
            side,
            database: Some("shop".to_owned()),
            name: name.to_owned(),
            migration,
            what,
        }
    }

    fn slot(change: impl FnOnce(&mut SlotFacts)) -> Remain {
        let mut facts = SlotFacts {
            active: true,
            wal_status: Some("reserved".to_owned()),
            retained_bytes: Some(79),
            lag_bytes: Some(0),
            limit_bytes: Some(100),
            of_table_worker: false,
        };
        change(&mut facts);
        remain(Side::Source, "pghaul_k3v9x2ab_1_g1a1", What::Slot(facts))
    }

    fn subscription(enabled: bool, working: bool) -> Remain {
        let slot = Some("pghaul_k3v9x2ab_1_g1a1".to_owned());
        let what = What::Subscription {
            enabled,
            working,
            slot,
        };
        remain(Side::Target, "pghaul_k3v9x2ab_1_g1a1", what)
    }

    fn judged(remains: &[Remain], known: Option<Known>) -> Vec<Vec<Trouble>> {
        let known = known.map(|known| (MigrationId::new(ID), known));
        let looked = Looked {
            source: true,
            target: true,
        };
        judge(remains, &known.into_iter().collect(), looked)
    }

    fn open<const N: usize>(copying: [u32; N]) -> Known {
        Known::Open {
            copying: copying.into(),
        }
    }

    #[test]
    fn a_slot_that_waits_for_its_subscription_is_in_order() {
        let waiting = [slot(|s| s.active = false)];
        assert_eq!(judged(&waiting, Some(open([1]))), [[]]);
        let alone = Trouble::Alone {
            missing: "subscription",
        };
        assert_eq!(judged(&waiting, Some(open([2]))), [[Trouble::Inactive, alone]]);
    }

    #[test]
    fn a_healthy_pair_has_no_trouble_and_each_defect_exactly_its_own() {
        let healthy = || [slot(|_| {}), subscription(true, true)];
        assert_eq!(judged(&healthy(), Some(open([]))), [[], []]);
        let of_slot = |change: fn(&mut SlotFacts)| {
            let [_, subscription] = healthy();
            judged(&[slot(change), subscription], Some(open([])))
        };
        assert_eq!(of_slot(|s| s.active = false), [vec![Trouble::Inactive], vec![]]);
        assert_eq!(
            of_slot(|s| s.wal_status = Some("lost".to_owned())),
            [vec![Trouble::Lost], vec![]]
        );
        assert_eq!(
            of_slot(|s| s.retained_bytes = Some(80)),
            [
                vec![Trouble::NearLimit {
                    retained_bytes: 80,
                    limit_bytes: 100
                }],
                vec![]
            ]
        );
        assert_eq!(of_slot(|s| s.limit_bytes = None), [[], []]);
        let of_subscription =
            |enabled, working| judged(&[slot(|_| {}), subscription(enabled, working)], Some(open([])));
        assert_eq!(of_subscription(false, false), [vec![], vec![Trouble::Disabled]]);
        assert_eq!(of_subscription(true, false), [vec![], vec![Trouble::NotWorking]]);
    }

    #[test]
    fn what_is_left_alone_or_after_its_migration_is_told() {
        let alone = |missing| vec![Trouble::Alone { missing }];
        assert_eq!(judged(&[slot(|_| {})], Some(open([]))), [alone("subscription")]);
        assert_eq!(
            judged(&[subscription(true, true)], Some(open([]))),
            [alone("slot")]
        );
        let pair = [slot(|_| {}), subscription(true, true)];
        assert_eq!(
            judged(&pair, Some(Known::Ended)),
            [vec![Trouble::Orphaned], vec![Trouble::Orphaned]]
        );
        assert_eq!(
            judged(&pair, None),
            [vec![Trouble::Unknown], vec![Trouble::Unknown]]
        );
        let only_source = Looked {
            source: true,
            target: false,
        };
        let known = BTreeMap::from([(MigrationId::new(ID), open([]))]);
        assert_eq!(judge(&[slot(|_| {})], &known, only_source), [[]]);
        let origin = remain(Side::Target, "pg_16410", What::Origin);
        assert_eq!(judged(&[origin], Some(open([]))), [alone("subscription")]);
    }
}
