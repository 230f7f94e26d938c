//! What was measured, as JSON and as tables.

use super::arguments::Arguments;
use super::contender::Contender;
use super::equality::Contents;
use super::process::Usage;
use super::workload::Workload;
use serde_json::{Map, Value, json};
use std::fmt::{self, Write as _};

const GB: f64 = 1e9;
const MIB: f64 = 1_048_576.0;

/// Whose best time a copy is compared with.
const COPIES_OF_OTHERS: &[Contender] = &[Contender::PgDumpPipe, Contender::PgDumpJobs, Contender::Pgcopydb];

/// The same, told not to compress what never leaves the machine.
const WITHOUT_COMPRESSION: &[Contender] = &[Contender::PgDumpPipeRaw, Contender::PgDumpJobsRaw];

/// One run of one contender.
#[derive(Debug, Clone)]
pub(super) struct Measurement {
    pub(super) seconds: f64,
    pub(super) usage: Option<Usage>,
    /// How many events pghaul has journaled.
    pub(super) journal_events: Option<u64>,
}

/// All runs of one workload.
pub(super) struct Figures {
    workload: Workload,
    tables: usize,
    rows: u64,
    bytes: u64,
    contenders: Vec<(Contender, Vec<Measurement>)>,
}

impl Figures {
    pub(super) fn new(workload: Workload, contents: &Contents) -> Self {
        Self {
            workload,
            tables: contents.tables,
            rows: contents.rows,
            bytes: contents.bytes,
            contenders: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, contender: Contender, measurement: Measurement) {
        match self.contenders.iter_mut().find(|(known, _)| *known == contender) {
            Some((_, measurements)) => measurements.push(measurement),
            None => self.contenders.push((contender, vec![measurement])),
        }
    }

    /// The median of a contender's times.
    fn seconds(&self, contender: Contender) -> Option<f64> {
        let (_, measurements) = self.contenders.iter().find(|(known, _)| *known == contender)?;
        Some(Spread::of(measurements, |measurement| measurement.seconds)?.median)
    }

    /// The contender's median as a multiple of the best of these.
    fn ratio(&self, contender: Contender, to: &[Contender]) -> Option<f64> {
        let others = to.iter().filter_map(|other| self.seconds(*other));
        Some(self.seconds(contender)? / others.reduce(f64::min)?)
    }

    fn ratios(&self, contender: Contender) -> [(&'static str, Option<f64>); 4] {
        let to = |others: &[Contender], live: bool| {
            self.ratio(contender, others)
                .filter(|_| contender.replicates() == live)
        };
        [
            ("to_best_copy", to(COPIES_OF_OTHERS, false)),
            ("to_best_without_compression", to(WITHOUT_COMPRESSION, false)),
            ("to_floor", to(&[Contender::Floor], false)),
            ("to_native", to(&[Contender::NativeLive], true)),
        ]
    }

    fn json(&self) -> Value {
        let mut contenders = Map::new();
        let mut ratios = Map::new();
        for (contender, measurements) in &self.contenders {
            let spread = Spread::of(measurements, |measurement| measurement.seconds);
            let Some(spread) = spread else { continue };
            let process = self.process(measurements);
            contenders.insert(
                contender.to_string(),
                json!({
                    "seconds": measurements.iter().map(|measurement| measurement.seconds).collect::<Vec<_>>(),
                    "median_seconds": spread.median,
                    "min_seconds": spread.min,
                    "max_seconds": spread.max,
                    "process": process.map(|process| process.json()),
                }),
            );
            let known = self.ratios(*contender).into_iter();
            let known: Map<String, Value> = known
                .filter_map(|(name, ratio)| Some((name.to_owned(), json!(ratio?))))
                .collect();
            ratios.insert(contender.to_string(), known.into());
        }
        json!({
            "workload": self.workload.to_string(),
            "tables": self.tables,
            "rows": self.rows,
            "bytes": self.bytes,
            "contenders": contenders,
            "ratios": ratios,
        })
    }

    fn process(&self, measurements: &[Measurement]) -> Option<Process> {
        let usage = |part: fn(Usage) -> f64| Spread::of_known(measurements, |m| m.usage.map(part));
        let events = measurements
            .iter()
            .filter_map(|measurement| measurement.journal_events);
        let cpu_seconds = usage(|usage| usage.own_cpu)?.median;
        Some(Process {
            cpu_seconds,
            cpu_seconds_per_gb: cpu_seconds / (bytes(self.bytes) / GB),
            children_cpu_seconds: usage(|usage| usage.children_cpu)?.median,
            // The worst of all runs: a limit must hold for every one.
            peak_rss: measurements
                .iter()
                .filter_map(|m| Some(m.usage?.peak_rss))
                .max()?,
            journal_events: events.max()?,
        })
    }

    fn rows_of_table(&self) -> String {
        let mut text = String::new();
        for (contender, measurements) in &self.contenders {
            let Some(spread) = Spread::of(measurements, |measurement| measurement.seconds) else {
                continue;
            };
            let Spread { min, median, max } = spread;
            write!(
                text,
                "| {} | {contender} | {median:.2} | {min:.2} – {max:.2} |",
                self.workload
            )
            .expect("writing to a String");
            for (_, ratio) in self.ratios(*contender) {
                let ratio = ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default();
                write!(text, " {ratio} |").expect("writing to a String");
            }
            let process = self.process(measurements).map(|process| process.cells());
            writeln!(text, "{}", process.unwrap_or_else(|| " | | | | |".to_owned()))
                .expect("writing to a String");
        }
        text
    }
}

/// What is told before the first run.
impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} rows in {} tables, {:.3} GB",
            self.rows,
            self.tables,
            bytes(self.bytes) / GB
        )
    }
}

/// What the process of pghaul has used.
struct Process {
    cpu_seconds: f64,
    cpu_seconds_per_gb: f64,
    children_cpu_seconds: f64,
    peak_rss: u64,
    journal_events: u64,
}

impl Process {
    fn json(&self) -> Value {
        json!({
            "cpu_seconds": self.cpu_seconds,
            "cpu_seconds_per_gb": self.cpu_seconds_per_gb,
            "children_cpu_seconds": self.children_cpu_seconds,
            "peak_rss_bytes": self.peak_rss,
            "journal_events": self.journal_events,
        })
    }

    fn cells(&self) -> String {
        format!(
            " {:.2} | {:.2} | {:.2} | {:.0} | {} |",
            self.cpu_seconds,
            self.cpu_seconds_per_gb,
            self.children_cpu_seconds,
            bytes(self.peak_rss) / MIB,
            self.journal_events
        )
    }
}

/// Everything, with what it depends on.
pub(crate) struct Report {
    rounds: usize,
    scale: f64,
    surroundings: Value,
    workloads: Vec<Figures>,
}

impl Report {
    pub(super) fn new(arguments: &Arguments, surroundings: Value) -> Self {
        Self {
            rounds: arguments.rounds,
            scale: arguments.scale,
            surroundings,
            workloads: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, figures: Figures) {
        self.workloads.push(figures);
    }

    /// Writes the file that was asked for.
    pub(super) fn write(&self, arguments: &Arguments) {
        if let Some(file) = &arguments.json {
            let text = format!("{:#}\n", self.json());
            std::fs::write(file, text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        }
    }

    fn json(&self) -> Value {
        json!({
            "rounds": self.rounds,
            "scale": self.scale,
            "surroundings": self.surroundings,
            "workloads": self.workloads.iter().map(Figures::json).collect::<Vec<_>>(),
        })
    }

    /// A paragraph on the surroundings and one table, as `docs/benchmarks.md` has them.
    pub(crate) fn markdown(&self) -> String {
        let all = &self.surroundings;
        let text = |path: &str, otherwise: &str| {
            let text = all.pointer(path).and_then(Value::as_str);
            text.unwrap_or(otherwise).to_owned()
        };
        let number = |path: &str| all.pointer(path).and_then(Value::as_u64).unwrap_or_default();
        let mut page = format!(
            "{} cores ({}), {:.0} GiB of memory, both servers on the same machine. PostgreSQL {} to {}, {}, {}, {}. \
             {} rounds, scale {}.\n\n",
            number("/machine/cores"),
            text("/machine/processor", "unknown"),
            bytes(number("/machine/memory_bytes")) / (1024.0 * MIB),
            text("/versions/source", "unknown"),
            text("/versions/target", "unknown"),
            text("/versions/pg_dump", "unknown"),
            text("/versions/pgcopydb", "no pgcopydb"),
            text("/versions/pghaul", "unknown"),
            self.rounds,
            self.scale,
        );
        for figures in &self.workloads {
            writeln!(page, "- {}: {figures}", figures.workload).expect("writing to a String");
        }
        page.push_str(HEADER);
        page.extend(self.workloads.iter().map(Figures::rows_of_table));
        page
    }
}

const HEADER: &str = "
| workload | contender | median s | min – max | × best of pg_dump, pgcopydb | × best of pg_dump -Z0 | × floor | × native | own CPU s | CPU s/GB | children's CPU s | peak MiB | events |
|---|---|---|---|---|---|---|---|---|---|---|---|---|
";

/// How far measurements lie apart.
struct Spread {
    min: f64,
    median: f64,
    max: f64,
}

impl Spread {
    fn of(measurements: &[Measurement], value: impl Fn(&Measurement) -> f64) -> Option<Self> {
        Self::of_known(measurements, |measurement| Some(value(measurement)))
    }

    fn of_known(measurements: &[Measurement], value: impl Fn(&Measurement) -> Option<f64>) -> Option<Self> {
        let mut values: Vec<f64> = measurements.iter().filter_map(value).collect();
        values.sort_by(f64::total_cmp);
        // The lower and the upper one in the middle are the same when their number is odd.
        let lower = values.get(values.len().checked_sub(1)? / 2)?;
        let upper = values.get(values.len() / 2)?;
        Some(Self {
            min: *values.first()?,
            median: f64::midpoint(*lower, *upper),
            max: *values.last()?,
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
fn bytes(number: u64) -> f64 {
    number as f64
}
