//! Statements that a server of another version or release would reject, although nothing is lost without them, or would
//! understand otherwise.

use crate::archive::Entry;
use libpgdump::ObjectType;

/// The first pg_dump that knows `MAINTAIN`.
const KNOWS_MAINTAIN: u32 = 17;

/// What `ALL` privileges of tables, views and the like were before PostgreSQL 17.
const ALL_BEFORE: &str = "SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER";

/// Grants what the source has granted: since PostgreSQL 17, `GRANT ALL` of an older pg_dump would grant `MAINTAIN` too, with
/// which others may lock, rebuild and refresh what is not theirs. Owners have it on the target as on any server of that version.
pub(crate) fn without_maintain(entry: &Entry, statements: String) -> String {
    let of_rights = matches!(entry.kind, ObjectType::Acl | ObjectType::DefaultAcl);
    if !of_rights || entry.written_by >= KNOWS_MAINTAIN {
        return statements;
    }
    let lines = statements.split_inclusive('\n').map(|line| {
        let granted = ["GRANT ALL ON TABLE ", "GRANT ALL ON TABLES "];
        let at = granted.iter().find_map(|all| line.find(all));
        match at.and_then(|at| line.split_at_checked(at)) {
            Some((before, grant))
                if grantee(grant) != Some(&entry.owner)
                    && (before.is_empty() || before.starts_with("ALTER DEFAULT PRIVILEGES ")) =>
            {
                format!("{before}{}", grant.replacen("ALL", ALL_BEFORE, 1))
            }
            _ => line.to_owned(),
        }
    });
    lines.collect()
}

/// The role that a statement grants to, where its name needs no escapes.
fn grantee(grant: &str) -> Option<&str> {
    let (_, role) = grant.trim_end().strip_suffix(';')?.rsplit_once(" TO ")?;
    let role = role.strip_suffix(" WITH GRANT OPTION").unwrap_or(role);
    Some(role.trim_matches('"'))
}

/// Removes what only the newest minor releases understand: the internal column option `pg_attver`, which an
/// older pg_dump writes out as if it were a user's setting.
///
/// ```text
/// ALTER TABLE ONLY public.t ALTER COLUMN i SET (pg_attver=4035492784, n_distinct=7);
/// ```
/// keeps `n_distinct=7`; where nothing else is set, the whole statement goes.
pub(crate) fn without_internal_options(statements: &str) -> String {
    if !statements.contains("pg_attver") {
        return statements.to_owned();
    }
    let lines = statements.split_inclusive('\n').filter_map(|line| {
        let Some((before, rest)) = line.split_once(" SET (") else {
            return Some(line.to_owned());
        };
        let Some((options, after)) = rest.split_once(");") else {
            return Some(line.to_owned());
        };
        if !before.starts_with("ALTER TABLE ONLY ") || !before.contains(" ALTER COLUMN ") {
            return Some(line.to_owned());
        }
        let kept: Vec<&str> = options
            .split(", ")
            .filter(|o| !o.trim_start().starts_with("pg_attver="))
            .collect();
        (!kept.is_empty()).then(|| format!("{before} SET ({});{after}", kept.join(", ")))
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::{without_internal_options, without_maintain};
    use crate::archive::Entry;
    use libpgdump::ObjectType;

    #[test]
    fn all_is_what_it_was_where_it_was_granted() {
        let granted = |kind, written_by, statements: &str| {
            let entry = Entry {
                owner: "my owner".into(),
                written_by,
                ..Entry::bare(kind, "TABLE t")
            };
            without_maintain(&entry, statements.to_owned())
        };
        let statements = "REVOKE ALL ON TABLE public.t FROM \"my owner\";\n\
            GRANT ALL ON TABLE public.t TO \"my owner\" WITH GRANT OPTION;\n\
            SET SESSION AUTHORIZATION other;\n\
            GRANT ALL ON TABLE public.t TO reader WITH GRANT OPTION;\n\
            GRANT ALL ON TABLE public.\"GRANT ALL ON TABLE \" TO reader;\n";
        assert_eq!(
            granted(ObjectType::Acl, 15, statements),
            "REVOKE ALL ON TABLE public.t FROM \"my owner\";\n\
             GRANT ALL ON TABLE public.t TO \"my owner\" WITH GRANT OPTION;\n\
             SET SESSION AUTHORIZATION other;\n\
             GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON TABLE public.t TO reader WITH GRANT OPTION;\n\
             GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON TABLE public.\"GRANT ALL ON TABLE \" TO reader;\n"
        );
        let default = "ALTER DEFAULT PRIVILEGES FOR ROLE \"my owner\" GRANT ALL ON TABLES  TO reader;\n";
        assert_eq!(
            granted(ObjectType::DefaultAcl, 16, default),
            "ALTER DEFAULT PRIVILEGES FOR ROLE \"my owner\" \
             GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON TABLES  TO reader;\n"
        );
        for other in [
            "GRANT ALL ON SEQUENCE public.s TO reader;\n",
            "GRANT ALL(\"x\") ON TABLE public.t TO reader;\n",
        ] {
            assert_eq!(granted(ObjectType::Acl, 15, other), other);
        }
        assert_eq!(
            granted(ObjectType::Acl, 17, statements),
            statements,
            "it spells out what is not all"
        );
    }

    #[test]
    fn only_the_internal_option_goes() {
        let statements = "CREATE TABLE public.t (\n    i integer\n);\n\
            ALTER TABLE ONLY public.t ALTER COLUMN i SET (pg_attver=4035492784, n_distinct=7);\n\
            ALTER TABLE ONLY public.t ALTER COLUMN j SET (pg_attver=1);\n";
        assert_eq!(
            without_internal_options(statements),
            "CREATE TABLE public.t (\n    i integer\n);\n\
             ALTER TABLE ONLY public.t ALTER COLUMN i SET (n_distinct=7);\n"
        );
    }

    #[test]
    fn a_column_that_is_called_like_the_option_stays() {
        let statements = "CREATE TABLE public.pg_attver (\n    pg_attver integer\n);\n";
        assert_eq!(without_internal_options(statements), statements);
    }
}
