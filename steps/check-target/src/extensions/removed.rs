//! Extensions that PostgreSQL itself brought once.

/// The first major version without it. No package brings it to that version or a newer one.
const REMOVED: &[(&str, u32)] = &[
    ("tsearch2", 10),
    ("chkpass", 11),
    ("timetravel", 12),
    ("plpython2u", 15),
    ("plpythonu", 15),
    ("hstore_plpython2u", 15),
    ("hstore_plpythonu", 15),
    ("jsonb_plpython2u", 15),
    ("jsonb_plpythonu", 15),
    ("ltree_plpython2u", 15),
    ("ltree_plpythonu", 15),
    ("adminpack", 17),
    ("old_snapshot", 17),
];

/// Since when PostgreSQL has been without an extension, where a version (as of `server_version_num`) is.
pub(super) fn since(extension: &str, server_version: u32) -> Option<u32> {
    let found = REMOVED.iter().find(|(name, _)| *name == extension);
    found
        .map(|(_, since)| *since)
        .filter(|since| server_version / 10_000 >= *since)
}

#[cfg(test)]
mod tests {
    use super::since;

    #[test]
    fn only_versions_without_it_count() {
        assert_eq!(since("adminpack", 160_014), None);
        assert_eq!(since("adminpack", 170_000), Some(17));
        assert_eq!(since("adminpack", 180_004), Some(17));
        assert_eq!(since("hstore", 180_004), None);
    }
}
