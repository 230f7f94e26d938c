//! Logs, for people who look for a fault. They go to stderr and never hold secrets.

use crate::printer::Printer;
use pghaul_core::escaped;
use std::fmt;
use tracing::field::Field;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Overrides what is logged, in tracing's syntax: `pghaul_engine=trace`.
const VARIABLE: &str = "PGHAUL_LOG";

/// Starts logging: warnings by default, `-v` and `-vv` more, only errors when quiet.
pub(crate) fn start(printer: &Printer, verbosity: u8, quiet: bool) {
    let level = match (quiet, verbosity) {
        (true, 0) => "error",
        (false, 0) => "warn",
        (_, 1) => "warn,pghaul=debug",
        (_, _) => "info,pghaul=trace",
    };
    let filter = EnvFilter::try_from_env(VARIABLE).unwrap_or_else(|_| EnvFilter::new(level));
    let layer = tracing_subscriber::fmt::layer()
        .fmt_fields(debug_fn(written).delimited(" "))
        .with_writer(printer.clone())
        .with_ansi(printer.colors_stderr())
        .with_target(verbosity > 0);
    let started = if verbosity > 0 {
        tracing_subscriber::registry().with(filter).with(layer).try_init()
    } else {
        tracing_subscriber::registry()
            .with(filter)
            .with(layer.without_time())
            .try_init()
    };
    // A program that embeds us may have set up its own logging: then that one is used.
    drop(started);
}

/// A field of an event or a span: names and words of a server stay on its line.
fn written(writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    let value = format!("{value:?}");
    match field.name() {
        "message" => write!(writer, "{}", escaped(&value)),
        name => write!(writer, "{name}={}", escaped(&value)),
    }
}
