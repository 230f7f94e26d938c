//! Step: sequences.
