//! What is remembered of copied tables: items in the journal, effects in the target.

use serde::{Deserialize, Serialize};

/// A start of a copy, journaled before the first table is emptied. All tables of a generation come from one
/// snapshot.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Generation {
    pub(crate) generation: u32,
    /// The source's WAL position of the snapshot.
    pub(crate) position: String,
}

/// What is remembered of a copied table.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CopiedTable {
    /// The table's name.
    pub table: String,
    /// The snapshot it was copied from.
    pub generation: u32,
    /// The source's WAL position of that snapshot.
    pub as_of: String,
    /// The rows, as both sides counted them; absent where the process was killed before it could note them, and
    /// only the target knows that the table is complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// The bytes of COPY data.
    #[serde(default)]
    pub bytes: u64,
}

/// The item of a table.
pub(crate) fn item_name(generation: u32, number: u32) -> String {
    format!("{generation}/{number}")
}

/// The prefix of the effect keys of all copies.
pub(crate) const COPIES: &str = "copy/";

/// The prefix of the effect keys of a table's copy.
fn keys_of_table(generation: u32, number: u32) -> String {
    format!("{COPIES}{generation}/{number}/")
}

/// Matches the effect keys of tables' copies, of all generations: who empties a table takes back whatever was copied of it.
pub(crate) fn keys_of_copies(numbers: impl IntoIterator<Item = u32>) -> String {
    let numbers: Vec<String> = numbers.into_iter().map(|number| number.to_string()).collect();
    format!("^{COPIES}[0-9]+/({})/", numbers.join("|"))
}

/// The effect key of one part of a table. It says how many parts there are, so that the target alone can tell
/// whether the table is complete.
pub(crate) fn key(generation: u32, number: u32, part: u32, parts: u32) -> String {
    format!("{}{part}-{parts}", keys_of_table(generation, number))
}

/// The tables that are complete, by the effect keys of a generation.
pub(crate) fn complete<'a>(
    keys: impl IntoIterator<Item = &'a String>,
    generation: u32,
) -> std::collections::BTreeSet<u32> {
    let mut found: std::collections::BTreeMap<(u32, u32), u32> = std::collections::BTreeMap::new();
    for key in keys {
        if let Some((of, number, parts)) = parse(key)
            && of == generation
        {
            *found.entry((number, parts)).or_default() += 1;
        }
    }
    let all_there = found.into_iter().filter(|((_, parts), count)| parts == count);
    all_there.map(|((number, _), _)| number).collect()
}

/// Generation, number and parts of a key.
fn parse(key: &str) -> Option<(u32, u32, u32)> {
    let mut places = key.strip_prefix(COPIES)?.split('/');
    let (generation, number) = (places.next()?.parse().ok()?, places.next()?.parse().ok()?);
    let (_, parts) = places.next()?.split_once('-')?;
    Some((generation, number, parts.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_complete_when_all_its_parts_are() {
        let keys = [
            key(2, 7, 1, 2),
            key(2, 7, 2, 2),
            key(2, 8, 1, 3),
            key(1, 9, 1, 1),
            key(2, 10, 1, 1),
        ];
        assert_eq!(complete(&keys, 2).into_iter().collect::<Vec<_>>(), [7, 10]);
    }
}
