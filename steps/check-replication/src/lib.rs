//! Check: replication.
