//! The pool of workers that all databases of a run share.

use pghaul_core::Failure;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What several workers of one step share. A panic of another worker does not matter: it ends the run.
pub fn held<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many workers may copy tables or build indexes at once, of all databases together. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Workers {
    places: Arc<Semaphore>,
    size: usize,
}

impl Workers {
    /// A pool of this many workers, one at least.
    pub fn new(size: usize) -> Self {
        let size = size.max(1);
        Self {
            places: Arc::new(Semaphore::new(size)),
            size,
        }
    }

    /// How many there are.
    pub fn size(&self) -> usize {
        self.size
    }

    pub(crate) async fn place(&self) -> Result<OwnedSemaphorePermit, Failure> {
        let place = Arc::clone(&self.places).acquire_owned().await;
        place.map_err(|closed| Failure::bug(closed.to_string()))
    }
}
