//! Check: same-server.
