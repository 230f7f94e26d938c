//! What lives no longer than a run and is shared between the steps of one database, such as a snapshot.

use pghaul_core::DatabaseName;
use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The things kept, one of each type for a database.
#[derive(Default)]
pub struct Kept(Mutex<Things>);

type Things = HashMap<(DatabaseName, TypeId), Arc<dyn Any + Send + Sync>>;

impl Kept {
    pub(crate) fn put<T: Any + Send + Sync>(&self, database: &DatabaseName, value: T) -> Arc<T> {
        let key = (database.clone(), TypeId::of::<T>());
        let value = Arc::new(value);
        let kept = Arc::clone(&value);
        self.with(|things| things.insert(key, kept));
        value
    }

    pub(crate) fn get<T: Any + Send + Sync>(&self, database: &DatabaseName) -> Option<Arc<T>> {
        let key = (database.clone(), TypeId::of::<T>());
        let kept = self.with(|things| things.get(&key).cloned())?;
        kept.downcast().ok()
    }

    pub(crate) fn remove<T: Any + Send + Sync>(&self, database: &DatabaseName) {
        let key = (database.clone(), TypeId::of::<T>());
        self.with(|things| things.remove(&key));
    }

    /// Drops everything of a database.
    pub fn forget(&self, database: &DatabaseName) {
        self.with(|things| things.retain(|(of, _), _| of != database));
    }

    /// A panic elsewhere leaves the map itself whole.
    fn with<T>(&self, act: impl FnOnce(&mut Things) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
