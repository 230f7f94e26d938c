//! Registers every built-in step and check.
