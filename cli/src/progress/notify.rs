//! Passes every durable event to the observers of the configuration.

use crate::report::sentence;
use pghaul_core::{DatabaseName, Event};
use pghaul_external::{Notice, Observing};
use pghaul_step::{Observer, Progress};
use std::sync::Arc;

/// Shows progress through another observer, and passes events to the programs.
pub(crate) struct NotifyingObserver {
    pub(crate) shown: Arc<dyn Observer>,
    pub(crate) observing: Arc<Observing>,
    /// The name of the migration.
    pub(crate) migration: String,
}

impl Observer for NotifyingObserver {
    fn progress(&self, database: Option<&DatabaseName>, progress: Progress) {
        self.shown.progress(database, progress);
    }

    fn measured(&self, database: &DatabaseName, bytes: u64) {
        self.shown.measured(database, bytes);
    }

    fn journaled(&self, event: &Event) {
        self.shown.journaled(event);
        let text = anstream::adapter::strip_str(&sentence::of(event)).to_string();
        let mut notice = Notice::new(event.kind(), &self.migration, text);
        notice.database = event.database().map(ToString::to_string);
        notice.step = event.step().map(ToString::to_string);
        notice.item = event.item().map(str::to_owned);
        if let Ok(record) = event.to_record() {
            notice.payload = record.payload.value();
        }
        self.observing.notify(&notice);
    }
}
