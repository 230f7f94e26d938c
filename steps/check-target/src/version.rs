//! Which of two versions of an extension is older. Versions are free text: mostly numbers with dots, but also
//! `1.10.0-x`, `3.4.0dev`, `unpackaged`.

use std::cmp::Ordering;

/// Beginnings of what is added to a number before that number is released.
const BEFORE_RELEASE: [&str; 5] = ["dev", "alpha", "beta", "rc", "pre"];

/// Compares two versions; nothing where their texts don't tell.
///
/// Numbers decide first, one after the other, as numbers: 1.10 is newer than 1.9, and 1.0 is 1. Where they are
/// equal, one with `dev`, `alpha`, `beta`, `rc` or `pre` behind it is older than the bare one.
pub(crate) fn compare(one: &str, other: &str) -> Option<Ordering> {
    if one == other {
        return Some(Ordering::Equal);
    }
    let ((numbers, rest), (other_numbers, other_rest)) = (split(one)?, split(other)?);
    match numbers.cmp(&other_numbers) {
        Ordering::Equal => {}
        decided => return Some(decided),
    }
    let before = |rest: &str| BEFORE_RELEASE.iter().any(|word| rest.starts_with(word));
    match (rest.as_str(), other_rest.as_str()) {
        (one, other) if one == other => Some(Ordering::Equal),
        ("", other) if before(other) => Some(Ordering::Greater),
        (one, "") if before(one) => Some(Ordering::Less),
        _ => None,
    }
}

/// The numbers at the beginning, without zeros at their end, and what follows them.
fn split(version: &str) -> Option<(Vec<u64>, String)> {
    let end = version
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(version.len());
    let (numbers, rest) = version.split_at(end);
    let numbers = numbers.trim_end_matches('.').split('.').map(str::parse);
    let mut numbers: Vec<u64> = numbers.collect::<Result<_, _>>().ok()?;
    while numbers.last() == Some(&0) {
        numbers.pop();
    }
    let rest = rest.trim_start_matches(['-', '_', '+', ' ']).to_lowercase();
    Some((numbers, rest))
}

#[cfg(test)]
mod tests {
    use super::compare;
    use std::cmp::Ordering::{Equal, Greater, Less};

    #[test]
    fn numbers_are_numbers() {
        assert_eq!(compare("1.9", "1.10"), Some(Less));
        assert_eq!(compare("2.0", "1.99.9"), Some(Greater));
        assert_eq!(compare("1.0", "1"), Some(Equal));
        assert_eq!(compare("20240101", "3"), Some(Greater));
    }

    #[test]
    fn spellings_that_are_no_numbers() {
        assert_eq!(compare("1.10.0-x", "1.10.0-x"), Some(Equal));
        assert_eq!(compare("1.10.0-x", "1.9.0"), Some(Greater));
        assert_eq!(compare("1.10.0-x", "1.10.1"), Some(Less));
        assert_eq!(compare("1.10.0-x", "1.10.0"), None, "who knows");
        assert_eq!(compare("3.4.0dev", "3.4.0"), Some(Less));
        assert_eq!(compare("3.4", "3.4.0-rc1"), Some(Greater));
        assert_eq!(compare("3.4.0alpha1", "3.4.0beta1"), None);
        assert_eq!(compare("unpackaged", "1.0"), None);
        assert_eq!(compare("unpackaged", "unpackaged"), Some(Equal));
        assert_eq!(compare("", "1.0"), None);
    }
}
