//! Check: source.
