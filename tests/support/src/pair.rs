//! Two clusters, a source and a target.

use crate::cluster::{Cluster, Settings};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

/// A source and a target.
#[derive(Debug)]
pub struct ClusterPair {
    /// Where the databases are to go. It is stopped first: of a test that fails, its log shows what failed, and not
    /// that the source is gone.
    pub target: Cluster,
    /// Where the databases are.
    pub source: Cluster,
}

impl ClusterPair {
    /// Makes and starts both at the same time.
    pub fn start(source: Settings, target: Settings) -> Self {
        std::thread::scope(|scope| {
            let source = scope.spawn(|| Cluster::start("source", source));
            let target = Cluster::start("target", target);
            Self {
                source: source.join().expect("the source started"),
                target,
            }
        })
    }

    /// Creates an empty database in the source under a name that neither cluster has and no other test gets.
    pub fn fresh_database(&self, label: &str) -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let name = format!("{label}_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        self.source.create_database(&name);
        name
    }
}

/// Pairs that many tests can share, each with databases of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Any version, the same on both sides.
    Ordinary,
    /// Major versions of source and target.
    Versions(u32, u32),
}

/// The pair of this kind that all tests of this process share. Settings, roles and the servers' state must be
/// left as they are; a test that needs to change them starts its own pair.
pub fn shared_pair(kind: Kind) -> &'static ClusterPair {
    static PAIRS: Mutex<Option<HashMap<Kind, &'static OnceLock<ClusterPair>>>> = Mutex::new(None);
    let cell = {
        let mut pairs = PAIRS.lock().unwrap_or_else(PoisonError::into_inner);
        *pairs
            .get_or_insert_default()
            .entry(kind)
            .or_insert_with(|| Box::leak(Box::default()))
    };
    // Outside the lock: a pair of one kind starts while tests use others.
    cell.get_or_init(|| {
        let mut pair = match kind {
            Kind::Ordinary => ClusterPair::start(Settings::new(), Settings::new()),
            Kind::Versions(source, target) => {
                ClusterPair::start(Settings::new().major(source), Settings::new().major(target))
            }
        };
        pair.source.share();
        pair.target.share();
        pair
    })
}
