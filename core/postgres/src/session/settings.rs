//! The settings of pghaul's sessions: nothing times out, no row is hidden, texts are exact and the same everywhere.

use super::Right;

/// What pghaul does about a setting that changes values, or how texts are read or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Governed {
    /// The setting.
    pub name: &'static str,
    /// Its value in pghaul's own sessions, where rows and catalog texts pass; absent, that of the server.
    pub fixed: Option<&'static str>,
    /// Where users' expressions get the value that the source's database has.
    pub home: Home,
}

/// Which statements run users' expressions under a setting of the source's database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Home {
    /// All: COPY into the target, builds of indexes and constraints, and REFRESH MATERIALIZED VIEW. Texts that pghaul
    /// sends mean the same under every value.
    Everywhere,
    /// REFRESH MATERIALIZED VIEW alone: the setting changes what a text means that COPY or the archive holds.
    Refresh,
    /// None.
    Nowhere,
}

const fn governed(name: &'static str, fixed: Option<&'static str>, home: Home) -> Governed {
    Governed { name, fixed, home }
}

/// Every setting that changes values or their texts. Those in which users' code may differ from one database to
/// another are restored for it; `docs/explanation/settings.md` shows this table.
pub const GOVERNED: &[Governed] = &[
    governed("DateStyle", Some("ISO"), Home::Everywhere),
    governed("IntervalStyle", Some("postgres"), Home::Everywhere),
    governed("TimeZone", None, Home::Everywhere),
    governed("bytea_output", Some("hex"), Home::Everywhere),
    governed("extra_float_digits", Some("3"), Home::Everywhere),
    governed("xmlbinary", None, Home::Everywhere),
    governed("lc_time", None, Home::Everywhere),
    governed("lc_numeric", None, Home::Everywhere),
    governed("default_text_search_config", None, Home::Everywhere),
    governed("lc_monetary", None, Home::Refresh),
    governed("array_nulls", Some("on"), Home::Refresh),
    governed("xmloption", Some("content"), Home::Refresh),
    governed("search_path", Some(""), Home::Refresh),
    governed("row_security", Some("off"), Home::Refresh),
    governed("standard_conforming_strings", Some("on"), Home::Refresh),
    governed("backslash_quote", Some("safe_encoding"), Home::Refresh),
    governed("transform_null_equals", Some("off"), Home::Refresh),
    governed("quote_all_identifiers", Some("off"), Home::Refresh),
    governed("default_tablespace", Some(""), Home::Nowhere),
];

/// What keeps a session from working as it should, with its value in pghaul's sessions.
const UNDISTURBED: &[(&str, &str)] = &[
    ("statement_timeout", "0"),
    ("idle_in_transaction_session_timeout", "0"),
    ("default_transaction_isolation", "read committed"),
    ("default_transaction_deferrable", "off"),
    ("exit_on_error", "off"),
    ("client_min_messages", "warning"),
    // What the journal calls committed must be there when the server has crashed.
    ("synchronous_commit", "on"),
];

/// Settings that every version from 10 on knows, for the start-up packet. They win over those of the role and the
/// database, and stand before the first statement.
fn everywhere() -> Vec<(&'static str, &'static str)> {
    let fixed = GOVERNED
        .iter()
        .filter_map(|setting| Some((setting.name, setting.fixed?)));
    fixed.chain(UNDISTURBED.iter().copied()).collect()
}

/// What a server has said of itself and of the connecting role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) version: u32,
    pub(super) superuser: bool,
}

/// PostgreSQL 17 is the first with login event triggers, and with a setting that switches event triggers off.
const LOGIN_TRIGGERS: u32 = 170_000;

/// What keeps users' login triggers from firing, where the role may say so at start-up.
pub(super) fn without_login_triggers(known: Option<Known>) -> Option<(&'static str, &'static str)> {
    known
        .filter(|known| known.superuser && known.version >= LOGIN_TRIGGERS)
        .map(|_| ("event_triggers", "off"))
}

/// The settings of a session that is not pghaul's own, but connects in its name: without limits of time.
pub(super) fn for_others(known: Option<Known>) -> Vec<(&'static str, &'static str)> {
    let mut settings = Vec::new();
    settings.extend(without_login_triggers(known));
    let version = known.map_or(0, |known| known.version);
    if version >= 140_000 {
        settings.push(("idle_session_timeout", "0"));
    }
    if version >= 170_000 {
        settings.push(("transaction_timeout", "0"));
    }
    settings
}

/// The settings of a client program of PostgreSQL, which writes texts that pghaul reads: with a database's own
/// `bytea_output` or `standard_conforming_strings`, pg_dump writes constants that mean something else under pghaul's.
pub(super) fn for_programs(known: Option<Known>) -> Vec<(&'static str, &'static str)> {
    let mut settings = everywhere();
    settings.push(("lock_timeout", "0"));
    settings.extend(for_others(known));
    settings
}

/// The settings with which a session with this right begins; [`statements`] sets the rest.
pub(super) fn for_right<R: Right>(known: Option<Known>) -> Vec<(&'static str, &'static str)> {
    let mut settings = everywhere();
    settings.retain(|(name, _)| *name != "search_path" || !may_write::<R>());
    settings.extend(for_others(known));
    settings.push(("lock_timeout", R::LOCK_TIMEOUT));
    settings.push((
        "default_transaction_read_only",
        if R::READ_ONLY_BY_DEFAULT { "on" } else { "off" },
    ));
    settings
}

/// The settings of a replication connection, which takes no `SET` without losing its snapshot.
pub(super) fn for_replication(known: Known) -> Vec<(&'static str, &'static str)> {
    let mut settings = everywhere();
    settings.push(("lock_timeout", "0"));
    settings.extend(for_others(Some(known)));
    settings
}

/// Whether scripts of extensions, and statements of users, may run in a session.
///
/// Some of them read or restore the `search_path` that the session began with: postgis_topology adds a schema to it and makes that
/// the setting of the database. In such a session, as in pg_restore's, it is set by the first statement.
const fn may_write<R: Right>() -> bool {
    R::REHEARSES || !R::READ_ONLY_BY_DEFAULT
}

/// What a session is set to after it has begun; also what only some versions or roles have.
///
/// A server that looks whether its client still lives ends what a killed one has begun: a slot that waits for a
/// transaction would otherwise be made in the end, and keep WAL for nobody. Other systems than Linux may refuse.
///
/// Compiling a query pays off where it runs long. Ours look at catalogs: with 20,000 tables the compilation of one took
/// over a second, and the query itself a third of one.
///
/// Users' event triggers do not fire for pghaul's statements: as in a session that applies replicated changes, and from
/// PostgreSQL 17 on not even those that are ENABLE ALWAYS.
pub(super) fn statements<R: Right>(known: Known) -> String {
    let mut statements = String::new();
    if may_write::<R>() {
        statements.push_str("SET search_path = ''; ");
    }
    statements.push_str(match known.version {
        170_000.. => "SET jit = off; SET idle_session_timeout = 0; SET transaction_timeout = 0; ",
        140_000.. => "SET jit = off; SET idle_session_timeout = 0; ",
        120_000.. => "SET jit = off; ",
        110_000.. => "SET jit = off; SET default_with_oids = off; ",
        _ => "SET default_with_oids = off; ",
    });
    if known.superuser && may_write::<R>() {
        statements.push_str("SET session_replication_role = replica; ");
    }
    if known.superuser && known.version >= LOGIN_TRIGGERS {
        statements.push_str("SET event_triggers = off; ");
    }
    if known.version >= 140_000 {
        statements.push_str(
            "SELECT pg_catalog.set_config('client_connection_check_interval', '10s', false) \
             WHERE pg_catalog.version() ~ 'linux'",
        );
    }
    statements
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_shows_every_governed_setting() {
        let page = include_str!("../../../../docs/explanation/settings.md");
        for Governed { name, fixed, home } in GOVERNED {
            let fixed = fixed.map(|value| format!("`{value}` ")).unwrap_or_default();
            let home = match home {
                Home::Everywhere => "rows, builds, views ",
                Home::Refresh => "views ",
                Home::Nowhere => "",
            };
            let line = format!("| `{name}` | {fixed}| {home}|");
            assert!(page.lines().any(|other| other == line), "{line}");
        }
    }

    #[test]
    fn login_triggers_are_off_where_the_role_may_say_so() {
        let of = |version, superuser| without_login_triggers(Some(Known { version, superuser }));
        assert_eq!(of(170_004, true), Some(("event_triggers", "off")));
        assert_eq!(of(170_004, false), None);
        assert_eq!(of(160_004, true), None);
        assert_eq!(without_login_triggers(None), None);
    }
}
