//! Where the catalogs of PostgreSQL 10 to 18 differ, and which relations are users'.

/// The schemas of users: neither PostgreSQL's own nor that of pghaul on a target. `n` is `pg_namespace`.
const SCHEMA_OF_USERS: &str = "n.nspname NOT IN ('pg_catalog', 'information_schema', 'pghaul') \
                               AND n.nspname !~ '^pg_(toast|temp)'";

/// The filter "relations of users", whatever their kind. `c` is `pg_class` and `n` its `pg_namespace`. Temporary ones are
/// of one session.
const OF_USERS: &str = "c.relpersistence <> 't' AND {schema_of_users}";

/// What takes the place of a name in braces: from a version on, and before.
const DIFFERENCES: &[(&str, u32, &str, &str)] = &[
    ("{constraint_of_parent}", 110_000, "k.conparentid <> 0", "false"),
    ("{generated}", 120_000, "a.attgenerated::text", "''"),
    ("{detach_pending}", 140_000, "i.inhdetachpending", "false"),
    (
        "{multiranges}",
        140_000,
        "UNION ALL SELECT r.rngmultitypid, r.rngtypid FROM pg_catalog.pg_range r",
        "",
    ),
    ("{enforced}", 180_000, "k.conenforced", "true"),
];

/// A query for a server of this version (`server_version_num`).
pub(super) fn query(sql: &str, version: u32) -> String {
    let sql = sql
        .replace("{of_users}", OF_USERS)
        .replace("{schema_of_users}", SCHEMA_OF_USERS);
    DIFFERENCES.iter().fold(sql, |sql, (name, since, then, before)| {
        sql.replace(name, if version >= *since { then } else { before })
    })
}

#[cfg(test)]
mod tests {
    use super::query;

    #[test]
    fn each_version_has_its_columns() {
        assert_eq!(query("SELECT {enforced}", 180_001), "SELECT k.conenforced");
        assert_eq!(query("SELECT {enforced}", 170_010), "SELECT true");
        let filter = query("WHERE {of_users}", 100_000);
        assert!(
            filter.contains("relpersistence") && !filter.contains('{'),
            "{filter}"
        );
    }
}
