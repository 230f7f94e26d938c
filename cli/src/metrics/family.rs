//! The metrics: names, meanings, and how they are written in the OpenMetrics format.

use super::measures::{Measure, Measures};
use pghaul_core::Phase;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use std::sync::atomic::AtomicU64;
use strum::IntoEnumIterator as _;

/// Names and values.
type Labels = Vec<(&'static str, String)>;

/// A metric of each database.
pub(super) struct Metric {
    /// Without the prefix, the unit, and `_total`.
    name: &'static str,
    unit: Option<Unit>,
    is_counter: bool,
    /// What it means, without a full stop.
    pub(super) help: &'static str,
    /// Its values by the labels that it has beside `migration` and `database`.
    values: fn(&Measure) -> Vec<(Labels, f64)>,
}

impl Metric {
    fn gauge(name: &'static str, help: &'static str, values: fn(&Measure) -> Vec<(Labels, f64)>) -> Self {
        Self {
            name,
            unit: None,
            is_counter: false,
            help,
            values,
        }
    }

    fn counter(name: &'static str, help: &'static str, values: fn(&Measure) -> Vec<(Labels, f64)>) -> Self {
        let is_counter = true;
        Self {
            is_counter,
            ..Self::gauge(name, help, values)
        }
    }

    fn in_unit(self, unit: Unit) -> Self {
        Self {
            unit: Some(unit),
            ..self
        }
    }
}

/// All metrics of databases, in the order in which they are written.
pub(super) fn metrics() -> Vec<Metric> {
    vec![
        Metric::gauge(
            "database_phase",
            "1 for the phase that the database is in, 0 for the others",
            |m| {
                let value = |phase: Phase| f64::from(u8::from(m.phase == Some(phase)));
                Phase::iter()
                    .map(|phase| (vec![("phase", phase.to_string())], value(phase)))
                    .collect()
            },
        ),
        Metric::gauge(
            "database_confirmed",
            "1 where the servers confirmed the phase at the last look, 0 where they could not be asked",
            |m| one(m.confirmed.map(u64::from)),
        ),
        Metric::counter(
            "copied_rows",
            "Rows of the tables whose copy is finished, of all runs; the target's workers count none",
            |m| one(Some(m.rows)),
        ),
        Metric::counter(
            "copied",
            "COPY data of the tables whose copy is finished, of all runs",
            |m| one(Some(m.bytes)),
        )
        .in_unit(Unit::Bytes),
        Metric::gauge(
            "copy_done",
            "Bytes that the copy of the database has passed, unfinished tables too",
            |m| one(m.copy.map(|copy| copy.bytes)),
        )
        .in_unit(Unit::Bytes),
        Metric::gauge(
            "copy_expected",
            "All bytes of the copy, estimated from the sizes of the tables on the source",
            |m| one(m.copy.map(|copy| copy.total_bytes)),
        )
        .in_unit(Unit::Bytes),
        Metric::gauge("copy_done_tables", "Tables that the copy has finished", |m| {
            one(m.copy.map(|copy| copy.tables))
        }),
        Metric::gauge("copy_expected_tables", "Tables that are to be copied", |m| {
            one(m.copy.map(|copy| copy.total_tables))
        }),
        Metric::gauge(
            "lag",
            "WAL of the source that the target has yet to confirm",
            |m| one(m.lag_bytes),
        )
        .in_unit(Unit::Bytes),
        Metric::gauge(
            "lag",
            "How long ago the source was where the target is now, as exact as the looks at it are frequent",
            |m| {
                m.lag_seconds
                    .map(|seconds| (Labels::new(), seconds))
                    .into_iter()
                    .collect()
            },
        )
        .in_unit(Unit::Seconds),
        Metric::gauge(
            "retained_wal",
            "WAL that the source keeps for the database's slots",
            |m| one(m.retained_bytes),
        )
        .in_unit(Unit::Bytes),
        Metric::counter("retries", "What failed and was done again, of all runs", |m| {
            one(Some(m.retries))
        }),
        Metric::gauge(
            "differences",
            "Objects that are not as on the source: problem (the proof failed), incomplete (to be completed at the cutover), written (on the source, since a one-time copy)",
            |m| {
                let kinds = [
                    ("problem", m.differences.problems),
                    ("incomplete", m.differences.incomplete),
                    ("written", m.differences.written),
                ];
                kinds
                    .map(|(kind, number)| (vec![("kind", kind.to_owned())], float(number)))
                    .to_vec()
            },
        ),
    ]
}

impl Metric {
    /// The name as it is written for each value.
    #[cfg(test)]
    pub(super) fn full_name(&self) -> String {
        let unit = self
            .unit
            .as_ref()
            .map(|unit| format!("_{}", unit.as_str()))
            .unwrap_or_default();
        format!(
            "pghaul_{}{unit}{}",
            self.name,
            if self.is_counter { "_total" } else { "" }
        )
    }

    #[cfg(test)]
    pub(super) fn kind(&self) -> &'static str {
        if self.is_counter { "counter" } else { "gauge" }
    }

    fn register(&self, registry: &mut Registry, measures: &Measures) {
        let counters = Family::<Labels, Counter<f64, AtomicU64>>::default();
        let gauges = Family::<Labels, Gauge<f64, AtomicU64>>::default();
        for (database, measure) in &measures.databases {
            for (more, value) in (self.values)(measure) {
                let mut labels: Labels = vec![
                    ("migration", escaped(&measures.migration)),
                    ("database", escaped(database.as_str())),
                ];
                labels.extend(more);
                if self.is_counter {
                    counters.get_or_create(&labels).inc_by(value);
                } else {
                    gauges.get_or_create(&labels).set(value);
                }
            }
        }
        match (self.is_counter, self.unit.clone()) {
            (true, None) => registry.register(self.name, self.help, counters),
            (true, Some(unit)) => registry.register_with_unit(self.name, self.help, unit, counters),
            (false, None) => registry.register(self.name, self.help, gauges),
            (false, Some(unit)) => registry.register_with_unit(self.name, self.help, unit, gauges),
        }
    }
}

/// All metrics, as they are served.
pub(crate) fn text(measures: &Measures) -> String {
    let mut registry = Registry::with_prefix("pghaul");
    let version = vec![("version", env!("CARGO_PKG_VERSION"))];
    registry.register("build", "The version of pghaul", Info::new(version));
    for metric in metrics() {
        metric.register(&mut registry, measures);
    }
    let mut text = String::new();
    match encode(&mut text, &registry) {
        Ok(()) => in_order(&text),
        Err(error) => {
            tracing::warn!(%error, "the metrics can't be written");
            String::new()
        }
    }
}

/// The samples of each metric in order, so that two scrapes can be compared: the encoder has none.
fn in_order(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    let is_sample = |line: &&str| !line.starts_with('#');
    for samples in lines.chunk_by_mut(|one, other| is_sample(one) == is_sample(other)) {
        if samples.first().is_some_and(is_sample) {
            samples.sort_unstable();
        }
    }
    lines.join("\n") + "\n"
}

/// A label's value as the format wants it; the encoder writes it as it is.
fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

fn one(value: Option<u64>) -> Vec<(Labels, f64)> {
    value
        .map(|value| (Labels::new(), float(value)))
        .into_iter()
        .collect()
}

#[expect(clippy::cast_precision_loss, reason = "the format has no larger integers")]
fn float(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::{metrics, text};
    use crate::metrics::measures::{Copy, Differences, Measure, Measures};
    use pghaul_core::{DatabaseName, Phase};

    fn measures(database: &str) -> Measures {
        let mut measures = Measures {
            migration: "shops".to_owned(),
            ..Measures::default()
        };
        *measures.of(&DatabaseName::from(database)) = Measure {
            phase: Some(Phase::Syncing),
            rows: 1_200_000,
            bytes: 5 << 30,
            retries: 2,
            copy: Some(Copy {
                bytes: 10,
                total_bytes: 20,
                tables: 1,
                total_tables: 2,
            }),
            lag_bytes: Some(4096),
            lag_seconds: Some(1.5),
            retained_bytes: Some(16 << 20),
            differences: Differences {
                problems: 0,
                incomplete: 3,
                written: 0,
            },
            confirmed: Some(true),
        };
        measures
    }

    #[test]
    fn metrics_are_written_as_openmetrics_wants_them() {
        insta::assert_snapshot!("metrics", text(&measures("shop")));
    }

    /// A name may hold anything; each sample stays one line.
    #[test]
    fn any_name_of_a_database_is_a_label() {
        let text = text(&measures("a\"b\\c\nd} 1"));
        let labels = r#"pghaul_retries_total{migration="shops",database="a\"b\\c\nd} 1"} 2.0"#;
        assert!(text.lines().any(|line| line == labels), "{text}");
        assert!(
            text.lines()
                .all(|line| line.starts_with('#') || line.starts_with("pghaul_")),
            "{text}"
        );
        assert!(text.ends_with("# EOF\n"));
    }

    /// `UPDATE_DOCS=1` writes the table.
    #[test]
    fn every_metric_is_documented() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference/metrics.md");
        let page = std::fs::read_to_string(path).unwrap();
        let (begin, end) = (
            "| metric | type | labels | meaning |\n|---|---|---|---|\n",
            "\n<!-- end -->",
        );
        let mut table = String::from("| `pghaul_build_info` | info | `version` | The version of pghaul. |\n");
        for metric in metrics() {
            let labels = (metric.values)(&measures("a").databases.into_values().next().unwrap());
            let more = labels
                .into_iter()
                .next()
                .map(|(labels, _)| labels)
                .unwrap_or_default();
            let more: String = more.iter().map(|(name, _)| format!(", `{name}`")).collect();
            table.push_str(&format!(
                "| `{}` | {} | `migration`, `database`{more} | {}. |\n",
                metric.full_name(),
                metric.kind(),
                metric.help
            ));
        }
        let (before, rest) = page.split_once(begin).unwrap();
        let (_, after) = rest.split_once(end).unwrap();
        let expected = format!("{before}{begin}{table}{end}{after}");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path, &expected).unwrap();
        }
        assert!(
            page == expected,
            "docs/reference/metrics.md is out of date: UPDATE_DOCS=1 writes it"
        );
    }
}
