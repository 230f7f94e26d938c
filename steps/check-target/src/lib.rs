//! Check: target.
