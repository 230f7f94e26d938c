//! Renderers: functions from data to text or JSON. They print nothing and know no terminal.

pub(crate) mod account;
pub(crate) mod columns;
pub(crate) mod describe;
pub(crate) mod doctor;
pub(crate) mod failure;
pub(crate) mod finding;
pub(crate) mod history;
pub(crate) mod journal;
pub(crate) mod json;
pub(crate) mod legible;
pub(crate) mod live;
pub(crate) mod migrations;
pub(crate) mod plan;
pub(crate) mod quantity;
pub(crate) mod sentence;
pub(crate) mod status;
pub(crate) mod steps;
pub(crate) mod summary;
pub(crate) mod wrap;
