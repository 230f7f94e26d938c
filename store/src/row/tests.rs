//! Nothing that is stored of an event can change unnoticed.

use super::*;
use crate::stored::StoredEvent;
use pghaul_core::{DatabaseName, StepEvent, StepName};

/// An event that differs from all others, of a database or of the cluster.
fn event(number: u32) -> Event {
    let step = StepName::new("copy");
    let finished = StepEvent::ItemFinished {
        item: format!("1/{number}"),
        outcome: serde_json::json!({ "rows": number }).into(),
        version: 1,
    };
    match number % 2 {
        0 => Event::DatabaseStep(DatabaseName::new("shop"), step, finished),
        _ => Event::ClusterStep(step, finished),
    }
}

/// Whether an event with these columns and this hash is taken for the next one of the chain.
fn passes(before: &Links, columns: chain::Columns<'_>, hash: &[u8]) -> bool {
    let stored = StoredEvent::of(columns, ValueRef::Blob(hash));
    before.clone().check(&stored).is_ok()
}

fn with_flipped_bit(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[bit / 8] ^= 1 << (bit % 8);
    bytes
}

/// Flips each bit of what is stored of an event. Returns how many there were.
fn flip_all(before: &Links, row: &NewRow) -> usize {
    assert!(passes(before, row.columns(), &row.hash));
    let mut flips = 256;
    for bit in 0..256 {
        let hash = with_flipped_bit(&row.hash, bit);
        assert!(!passes(before, row.columns(), &hash), "bit {bit} of the hash");
    }
    for (place, column) in row.columns().into_iter().enumerate() {
        let bits = match column {
            ValueRef::Text(bytes) => bytes.len() * 8,
            ValueRef::Integer(_) => 64,
            _ => 0,
        };
        flips += bits;
        for bit in 0..bits {
            let mut columns = row.columns();
            let text = match column {
                ValueRef::Text(bytes) => with_flipped_bit(bytes, bit),
                _ => Vec::new(),
            };
            columns[place] = match column {
                ValueRef::Integer(number) => ValueRef::Integer(number ^ (1 << bit)),
                _ => ValueRef::Text(&text),
            };
            assert!(
                !passes(before, columns, &row.hash),
                "event {}, column {place}, bit {bit}",
                row.seq
            );
        }
    }
    flips
}

#[test]
fn every_flipped_bit_of_a_thousand_events_is_found() {
    let id = MigrationId::new("k3v9x2ab");
    let mut links = Links::new(&id);
    let mut flips = 0;
    for number in 0..1000 {
        let before = links.clone();
        let at = format!("2026-11-29T18:00:00.{number:03}Z");
        let row = NewRow::new(&mut links, &id, Epoch(1), at, &event(number)).unwrap();
        flips += flip_all(&before, &row);
    }
    assert!(flips > 1_000_000, "{flips}");
}
