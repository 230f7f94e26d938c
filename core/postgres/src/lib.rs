//! PostgreSQL as pghaul sees it: conninfo, TLS, sessions, quoting, catalogs.
