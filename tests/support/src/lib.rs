//! Test support: PostgreSQL of a wanted version, clusters, comparison, the binary.
