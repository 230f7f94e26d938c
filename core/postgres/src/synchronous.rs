//! What commits on a server wait for, by its setting `synchronous_standby_names`.

/// What a commit waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// So many standbys.
    pub standbys: i64,
    /// Whether any WAL receiver counts as one, also a subscription.
    pub takes_any: bool,
}

impl Waiting {
    /// Reads `a, b`, `2 (a, b)`, `FIRST 2 (a, b)` or `ANY 2 (a, b)`; nothing where no commit waits.
    pub fn of(names: &str) -> Option<Self> {
        let (method, list) = names.split_once('(').unwrap_or(("", names));
        let list = list.trim_end_matches([')', ' ']);
        if list.trim().is_empty() {
            return None;
        }
        let number = method.split_whitespace().find_map(|word| word.parse().ok());
        // Every subscription of a migration is called so, and no standby is.
        let is_any = |name: &str| name == "*" || name.to_ascii_lowercase().starts_with("pghaul_");
        Some(Self {
            standbys: number.unwrap_or(1),
            takes_any: list.split(',').any(|name| is_any(name.trim().trim_matches('"'))),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Waiting;

    #[test]
    fn every_form_is_read() {
        let of = |names| Waiting::of(names).map(|w| (w.standbys, w.takes_any));
        assert_eq!(of(""), None);
        assert_eq!(of("s1, s2"), Some((1, false)));
        assert_eq!(of("*"), Some((1, true)));
        assert_eq!(of("2 (s1, \"*\")"), Some((2, true)));
        assert_eq!(of("ANY 1 (*)"), Some((1, true)));
        assert_eq!(of("first 3 (a,b,c)"), Some((3, false)));
        assert_eq!(of("PGHAUL_abc_1_g1a1"), Some((1, true)));
    }
}
