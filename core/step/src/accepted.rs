//! What the user accepts by name that a removal leaves as it is.

use pghaul_core::DatabaseName;
use pghaul_core::event::Incomplete;
use std::collections::{BTreeMap, BTreeSet};

/// What the user accepts by name that a removal leaves as it is.
#[derive(Debug, Default)]
pub struct Accepted {
    names: Vec<String>,
    completed: BTreeMap<DatabaseName, BTreeSet<String>>,
}

impl Accepted {
    /// The names that the user gave, in which `*` stands for any text; and, for each database, the objects that the removal
    /// completes although their names are among them: something else of the same name is incomplete, and it may be that which
    /// the user has accepted.
    pub fn new(names: &[String], completed: BTreeMap<DatabaseName, BTreeSet<String>>) -> Self {
        Self {
            names: names.to_vec(),
            completed,
        }
    }

    /// Whether a removal leaves an object as it is.
    pub fn leaves(&self, database: &DatabaseName, object: &str) -> bool {
        let is_completed = |objects: &BTreeSet<String>| objects.contains(object);
        Incomplete::is_named(object, &self.names) && !self.completed.get(database).is_some_and(is_completed)
    }
}

#[cfg(test)]
mod tests {
    use super::Accepted;
    use std::collections::{BTreeMap, BTreeSet};

    #[test]
    fn a_name_that_means_two_things_in_one_database_means_one_in_the_other() {
        let completed = BTreeMap::from([("shop".into(), BTreeSet::from(["table a.t".to_owned()]))]);
        let accepted = Accepted::new(&["table a.*".to_owned()], completed);
        assert!(!accepted.leaves(&"shop".into(), "table a.t"));
        assert!(accepted.leaves(&"shop".into(), "table a.u"));
        assert!(accepted.leaves(&"store".into(), "table a.t"));
        assert!(!accepted.leaves(&"store".into(), "table b.t"));
    }
}
