//! Tests across packages: architecture, end to end, crashes.
