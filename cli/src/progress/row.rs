//! Words for what is going on.

use crate::report::quantity::{bytes, count, duration, plural};
use pghaul_core::escaped;
use pghaul_step::Progress;
use std::time::Duration;

/// Progress of a kind that has no bar.
pub(super) fn words(progress: &Progress) -> String {
    match progress {
        Progress::Step { step } => format!("step {}", escaped(step)),
        Progress::Count { what, done, total } => counted(what, *done, *total),
        Progress::Waiting { what } => format!("waiting for {}", escaped(what)),
        Progress::Copy {
            bytes: done,
            total_bytes,
            tables,
            total_tables,
            ..
        } => {
            format!(
                "copied {} of about {}, {} of {}",
                bytes(*done),
                bytes((*total_bytes).max(*done)),
                count(*tables),
                plural(*total_tables, "table")
            )
        }
    }
}

/// How many objects are done.
pub(super) fn counted(what: &str, done: u64, total: u64) -> String {
    format!("{what}: {} of {}", count(done), count(total))
}

/// Rate of a copy, in all and of each worker, and its remaining time, from two looks at it.
pub(super) fn rate(passed: u64, left: u64, workers: u64, time: Duration) -> Option<String> {
    let seconds = time.as_secs_f64();
    if passed == 0 || seconds <= 0.0 {
        return None;
    }
    let per_second = passed as f64 / seconds;
    let remaining = Duration::from_secs_f64((left as f64 / per_second).min(1e9));
    let each = match workers {
        0 | 1 => String::new(),
        many => format!(
            " by {many} workers, {}/s each",
            bytes((per_second / many as f64) as u64)
        ),
    };
    Some(format!(
        "{}/s{each}, about {} left",
        bytes(per_second as u64),
        duration(remaining)
    ))
}

#[cfg(test)]
mod tests {
    use super::{rate, words};
    use pghaul_step::Progress;
    use std::time::Duration;

    #[test]
    fn progress_reads_well() {
        let copy = Progress::Copy {
            bytes: 1 << 20,
            total_bytes: 1 << 30,
            tables: 0,
            total_tables: 8,
            workers: 2,
        };
        assert_eq!(words(&copy), "copied 1.0 MiB of about 1.0 GiB, 0 of 8 tables");
        let over = Progress::Copy {
            bytes: 2048,
            total_bytes: 1024,
            tables: 1,
            total_tables: 1,
            workers: 1,
        };
        assert_eq!(words(&over), "copied 2.0 KiB of about 2.0 KiB, 1 of 1 table");
        let indexes = Progress::Count {
            what: "indexes",
            done: 1,
            total: 1200,
        };
        assert_eq!(words(&indexes), "indexes: 1 of 1 200");
        let time = Duration::from_secs(10);
        assert_eq!(
            rate(20 << 20, 60 << 20, 1, time).as_deref(),
            Some("2.0 MiB/s, about 30 s left")
        );
        assert_eq!(
            rate(20 << 20, 60 << 20, 4, time).as_deref(),
            Some("2.0 MiB/s by 4 workers, 512.0 KiB/s each, about 30 s left")
        );
        assert_eq!(rate(0, 1, 1, time), None);
    }
}
