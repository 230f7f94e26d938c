//! Check: version.
