//! A migration's journal as a text that can be carried to another machine, and back into a journal file.
//!
//! One line of JSON each: a heading, every event with its stored columns and hash, and the head. The same events
//! always give the same bytes. Nothing of the text is believed: on its way in, every line is checked against the
//! hash chain and every event against the state machine before anything is committed.

mod export;
mod import;
mod line;

pub use import::Imported;
