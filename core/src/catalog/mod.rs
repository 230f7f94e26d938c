//! What a database holds, as facts.

mod name;

pub use name::TableName;
