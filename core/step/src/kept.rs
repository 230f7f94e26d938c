//! What lives no longer than a run and is shared: between the steps of one database, such as a snapshot, or between all steps, such as a
//! limit.

use pghaul_core::DatabaseName;
use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The things kept, one of each type for a database and one for all.
#[derive(Default)]
pub struct Kept(Mutex<Things>);

type Things = HashMap<(Option<DatabaseName>, TypeId), Arc<dyn Any + Send + Sync>>;

impl Kept {
    pub(crate) fn put<T: Any + Send + Sync>(&self, database: &DatabaseName, value: T) -> Arc<T> {
        let key = (Some(database.clone()), TypeId::of::<T>());
        let value = Arc::new(value);
        let kept = Arc::clone(&value);
        self.with(|things| things.insert(key, kept));
        value
    }

    pub(crate) fn get<T: Any + Send + Sync>(&self, database: &DatabaseName) -> Option<Arc<T>> {
        let key = (Some(database.clone()), TypeId::of::<T>());
        let kept = self.with(|things| things.get(&key).cloned())?;
        kept.downcast().ok()
    }

    pub(crate) fn remove<T: Any + Send + Sync>(&self, database: &DatabaseName) {
        let key = (Some(database.clone()), TypeId::of::<T>());
        self.with(|things| things.remove(&key));
    }

    /// The one of all databases; made where there is none yet.
    pub(crate) fn shared<T: Any + Send + Sync>(&self, make: impl FnOnce() -> T) -> Option<Arc<T>> {
        let key = (None, TypeId::of::<T>());
        let shared = self.with(|things| Arc::clone(things.entry(key).or_insert_with(|| Arc::new(make()))));
        shared.downcast().ok()
    }

    /// Drops everything of a database.
    pub fn forget(&self, database: &DatabaseName) {
        self.with(|things| things.retain(|(of, _), _| of.as_ref() != Some(database)));
    }

    /// A panic elsewhere leaves the map itself whole.
    fn with<T>(&self, act: impl FnOnce(&mut Things) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shared_is_made_once_and_outlives_a_database() {
        let (kept, database) = (Kept::default(), DatabaseName::from("d"));
        kept.put(&database, 1_u8);
        assert_eq!(kept.shared(|| 2_u8).as_deref(), Some(&2));
        kept.forget(&database);
        assert_eq!(kept.get::<u8>(&database), None);
        assert_eq!(kept.shared(|| 3_u8).as_deref(), Some(&2));
    }
}
