//! A check and a step for a program of one's own.

mod grant_reader;
mod size_limit;

pub use grant_reader::GrantReader;
pub use size_limit::SizeLimit;
