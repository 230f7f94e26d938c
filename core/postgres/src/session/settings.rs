//! The settings of our sessions: nothing times out, no row is hidden, texts are exact and the same everywhere.

use super::Right;

/// Settings that every version from 10 on knows, for the start-up packet. They win over those of the role and the
/// database, and stand before the first statement.
const EVERYWHERE: &[(&str, &str)] = &[
    ("row_security", "off"),
    ("extra_float_digits", "3"),
    ("statement_timeout", "0"),
    ("idle_in_transaction_session_timeout", "0"),
    ("search_path", ""),
    ("DateStyle", "ISO"),
    ("IntervalStyle", "postgres"),
    ("bytea_output", "hex"),
    ("standard_conforming_strings", "on"),
    ("client_min_messages", "warning"),
    // What the journal calls committed must be there when the server has crashed.
    ("synchronous_commit", "on"),
];

/// The settings of a session with this right.
pub(super) fn for_right<R: Right>() -> Vec<(&'static str, &'static str)> {
    let mut settings = EVERYWHERE.to_vec();
    settings.push(("lock_timeout", R::LOCK_TIMEOUT));
    settings.push((
        "default_transaction_read_only",
        if R::READ_ONLY_BY_DEFAULT { "on" } else { "off" },
    ));
    settings
}

/// The settings of a replication connection, which takes no `SET` without losing its snapshot.
pub(super) fn for_replication(version: u32) -> Vec<(&'static str, &'static str)> {
    let mut settings = EVERYWHERE.to_vec();
    settings.push(("lock_timeout", "0"));
    if version >= 140_000 {
        settings.push(("idle_session_timeout", "0"));
    }
    if version >= 170_000 {
        settings.push(("transaction_timeout", "0"));
    }
    settings
}

/// What newer versions have in addition.
///
/// A server that looks whether its client still lives ends what a killed one has begun: a slot that waits for a
/// transaction would otherwise be made in the end, and keep WAL for nobody. Other systems than Linux may refuse.
///
/// Compiling a query pays off where it runs long. Ours look at catalogs: with 20,000 tables the compilation of one took
/// over a second, and the query itself a third of one.
pub(super) fn for_version(version: u32) -> Option<&'static str> {
    match version {
        170_000.. => Some(
            "SET jit = off; SET idle_session_timeout = 0; SET transaction_timeout = 0; \
             SELECT pg_catalog.set_config('client_connection_check_interval', '10s', false) \
             WHERE pg_catalog.version() ~ 'linux'",
        ),
        140_000.. => Some(
            "SET jit = off; SET idle_session_timeout = 0; \
             SELECT pg_catalog.set_config('client_connection_check_interval', '10s', false) \
             WHERE pg_catalog.version() ~ 'linux'",
        ),
        110_000.. => Some("SET jit = off"),
        _ => None,
    }
}
