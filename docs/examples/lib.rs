//! Compiles the programs that the documentation shows, as tests of this package's own documentation.

#[cfg(doctest)]
#[doc = include_str!("../how-to/add-a-check.md")]
mod add_a_check {}

#[cfg(doctest)]
#[doc = include_str!("../how-to/add-a-step.md")]
mod add_a_step {}
