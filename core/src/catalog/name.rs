//! The name of a table.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A schema and the name of a relation in it, as the catalogs hold them: unquoted.
///
/// In JSON it is the two fields `schema` and `name` of whatever it names. `Display` is for messages; SQL takes the
/// quoted form that `pghaul-postgres` makes of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TableName {
    /// The schema.
    pub schema: String,
    /// The relation in it.
    pub name: String,
}

impl TableName {
    /// Takes both names unquoted.
    pub fn new(schema: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            schema: schema.into(),
            name: name.into(),
        }
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.name)
    }
}
