//! Ids and names of migrations, out of randomness.

use pghaul_core::{Code, Failure, MigrationId};

const LETTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";

const ADJECTIVES: [&str; 32] = [
    "amber", "bold", "brave", "bright", "calm", "clear", "cool", "daring", "early", "fair", "fleet", "fresh",
    "gentle", "glad", "golden", "grand", "honest", "keen", "kind", "light", "lively", "lucky", "mellow",
    "noble", "proud", "quick", "quiet", "silver", "steady", "sunny", "swift", "warm",
];

const NOUNS: [&str; 32] = [
    "badger", "barge", "bison", "camel", "canoe", "cart", "crane", "dhow", "eagle", "ferry", "finch", "fox",
    "goose", "hare", "heron", "ibex", "kayak", "lark", "lynx", "mule", "otter", "owl", "oxen", "puffin",
    "raft", "raven", "sled", "sloop", "stork", "tern", "wagon", "yak",
];

/// Eight lower-case letters and digits that no other migration has.
pub(crate) fn migration_id() -> Result<MigrationId, Failure> {
    let letter = |byte| pick(LETTERS, byte).map_or('x', |letter| char::from(*letter));
    Ok(MigrationId::new(
        random::<8>()?.into_iter().map(letter).collect::<String>(),
    ))
}

/// A name that is easy to say, such as `brave-otter`.
pub(crate) fn migration_name() -> Result<String, Failure> {
    let [first, second] = random::<2>()?;
    let word = |words: &'static [&'static str], byte| pick(words, byte).copied().unwrap_or("plain");
    Ok(format!("{}-{}", word(&ADJECTIVES, first), word(&NOUNS, second)))
}

fn pick<T>(choices: &[T], byte: u8) -> Option<&T> {
    choices.iter().cycle().nth(usize::from(byte))
}

fn random<const N: usize>() -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty()).map_err(|e| {
        Failure::new(
            Code::OutOfResources,
            "the operating system gives no random numbers",
        )
        .with_cause(e)
    })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::{migration_id, migration_name};

    #[test]
    fn an_id_fits_names_of_objects_on_servers() {
        let id = migration_id().unwrap();
        assert_eq!(id.as_str().len(), 8);
        assert!(
            id.as_str()
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        );
        assert_ne!(id, migration_id().unwrap());
    }

    #[test]
    fn a_name_is_two_words() {
        assert_eq!(migration_name().unwrap().split('-').count(), 2);
    }
}
