//! The error of an archive that is no good.

use pghaul_step::{Code, Failure, Side};

/// An archive that is no good, with the way on.
pub(crate) fn unreadable() -> Failure {
    Failure::new(Code::ToolFailed, "the archive that pg_dump wrote can't be read")
        .with_side(Side::Source)
        .with_hint("check that the disk of the state directory is whole and not full, and run again: the schema is dumped anew")
}
