//! Check: connection.
