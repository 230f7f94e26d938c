//! Metrics for Prometheus, in the OpenMetrics format, served while a command runs. Off unless they are asked for.

mod delay;
mod family;
mod measures;
mod server;

pub(crate) use delay::Delay;
pub(crate) use measures::Measures;

use crate::args::MetricsArgs;
use crate::printer::Printer;
use pghaul_core::{DatabaseName, Event, Failure};
use pghaul_engine::Engine;
use pghaul_step::{Observer, Progress};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// How often a run reads the positions of its slots.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Serves metrics as long as it lives.
pub(crate) struct Exporter {
    measures: Arc<Mutex<Measures>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Exporter {
    /// Begins to serve, where that is wanted.
    ///
    /// # Errors
    /// When the address can't be used.
    pub(crate) async fn start(args: &MetricsArgs, printer: &Printer) -> Result<Option<Self>, Failure> {
        let Some(listen) = args.metrics_listen else {
            return Ok(None);
        };
        let listener = server::bind(listen.0).await?;
        let address = listener.local_addr().unwrap_or(listen.0);
        printer.note(&format!("metrics are at http://{address}/metrics"));
        let measures = Arc::default();
        let serving = tokio::spawn(server::serve(listener, Arc::clone(&measures)));
        Ok(Some(Self {
            measures,
            tasks: vec![serving],
        }))
    }

    /// Replaces everything that is measured.
    pub(crate) fn set(&self, measures: Measures) {
        *lock(&self.measures) = measures;
    }

    /// Shows through another observer, and measures.
    pub(crate) fn observer(&self, shown: Arc<dyn Observer>) -> Arc<dyn Observer> {
        Arc::new(Measuring {
            shown,
            measures: Arc::clone(&self.measures),
        })
    }

    /// Reads how far the target is behind, from now on.
    pub(crate) fn follow(&mut self, engine: &Engine) {
        let engine = Engine {
            run: Arc::clone(&engine.run),
            registry: Arc::clone(&engine.registry),
        };
        let measures = Arc::clone(&self.measures);
        self.tasks.push(tokio::spawn(async move {
            let mut delay = Delay::default();
            loop {
                match engine.look_at_lag().await {
                    Ok(lags) => {
                        let now = Instant::now();
                        if let Some(position) = lags.values().map(|lag| lag.position).max() {
                            delay.note(now, position);
                        }
                        let mut measures = lock(&measures);
                        for (database, lag) in lags {
                            let measure = measures.of(&database);
                            measure.lag_bytes = Some(lag.bytes());
                            measure.retained_bytes = Some(lag.retained());
                            measure.lag_seconds =
                                delay.of(now, lag.confirmed).map(|delay| delay.as_secs_f64());
                        }
                    }
                    Err(failure) => tracing::debug!(%failure, "the lag can't be read"),
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }));
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

fn lock(measures: &Mutex<Measures>) -> MutexGuard<'_, Measures> {
    measures.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is shown is also measured.
struct Measuring {
    shown: Arc<dyn Observer>,
    measures: Arc<Mutex<Measures>>,
}

impl Observer for Measuring {
    fn progress(&self, database: Option<&DatabaseName>, progress: Progress) {
        lock(&self.measures).progress(database, &progress);
        self.shown.progress(database, progress);
    }

    fn measured(&self, database: &DatabaseName, bytes: u64) {
        self.shown.measured(database, bytes);
    }

    fn journaled(&self, event: &Event) {
        lock(&self.measures).journaled(event);
        self.shown.journaled(event);
    }
}
