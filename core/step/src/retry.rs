//! Which failures are tried again by themselves, how often and after how long: the one table for it.
//!
//! A retry is journaled: the step's failure, a note with the pause, then another start. It is always preceded by a probe, so
//! nothing is done twice. Workers that copy tables repeat a single unit by the same table. `docs/reference/retries.md` is generated from here.

use crate::notes::Notes;
use pghaul_core::{Code, Failure};
use std::time::Duration;

/// How a kind of failure is tried again.
struct Retry {
    codes: &'static [Code],
    /// How often a step is tried in all.
    tries: u32,
    /// The first pause. Each further one is twice as long, up to sixteen times the first.
    first_pause: Duration,
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "for readers, here and in the documentation")
    )]
    why: &'static str,
}

const RETRIES: &[Retry] = &[
    Retry {
        codes: &[
            Code::ConnectionLost,
            Code::ConnectionRefused,
            Code::ServerNotReady,
            Code::TooManyConnections,
        ],
        tries: 6,
        first_pause: Duration::from_secs(1),
        why: "a server that restarts is back within half a minute, or something is really wrong",
    },
    Retry {
        codes: &[Code::LockTimeout],
        tries: 20,
        first_pause: Duration::from_millis(500),
        why: "somebody else holds the lock; pghaul never waits long in the queue, where others would wait behind it, but comes back",
    },
];

/// How long to wait before the given try; `None` when there is none.
///
/// `tries` is how many tries have failed already, 1 or more.
pub fn pause_before_retry(code: Code, tries: u32) -> Option<Duration> {
    let retry = RETRIES.iter().find(|retry| retry.codes.contains(&code))?;
    let pause = retry
        .first_pause
        .saturating_mul(1 << tries.saturating_sub(1).min(4));
    (tries < retry.tries).then_some(pause)
}

/// Does something until it succeeds or fails for good. `what` names it in the journal.
///
/// # Errors
/// The last failure.
pub async fn patiently<T, F>(notes: &Notes, what: &str, mut act: impl FnMut() -> F) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Failure>>,
{
    let mut tries = 0;
    loop {
        let failure = match act().await {
            Ok(done) => return Ok(done),
            Err(failure) => failure,
        };
        tries += 1;
        let Some(pause) = pause_before_retry(failure.code, tries) else {
            return Err(failure);
        };
        notes.retried(what, &failure, tries, pause);
        tokio::time::sleep(pause).await;
    }
}

#[cfg(test)]
mod tests {
    use super::{RETRIES, pause_before_retry};
    use pghaul_core::Code;
    use std::collections::BTreeSet;
    use std::fmt::Write as _;
    use std::path::Path;
    use std::time::Duration;
    use strum::IntoEnumIterator as _;

    fn pauses(code: Code) -> Vec<Duration> {
        (1..).map_while(|n| pause_before_retry(code, n)).collect()
    }

    #[test]
    fn pauses_grow_and_end() {
        let seconds: Vec<_> = pauses(Code::ConnectionLost)
            .iter()
            .map(Duration::as_secs)
            .collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16]);
    }

    #[test]
    fn only_passing_troubles_are_retried() {
        let retried: BTreeSet<Code> = Code::iter().filter(|code| !pauses(*code).is_empty()).collect();
        let passing = BTreeSet::from([
            Code::ConnectionLost,
            Code::ConnectionRefused,
            Code::ServerNotReady,
            Code::TooManyConnections,
            Code::LockTimeout,
        ]);
        assert_eq!(retried, passing);
    }

    #[test]
    fn the_documented_table_is_the_one_in_use() {
        let mut table =
            String::from("| error | tries | pauses between them | in all | why |\n|---|---|---|---|---|\n");
        for retry in RETRIES {
            let codes: Vec<String> = retry
                .codes
                .iter()
                .map(|code| format!("[`{code}`](errors.md#{code})"))
                .collect();
            let all = pauses(retry.codes[0]);
            let total: f64 = all.iter().map(Duration::as_secs_f64).sum();
            let mut shown: Vec<String> = all.iter().map(|p| p.as_secs_f64().to_string()).collect();
            shown.dedup();
            let longest = if shown.len() < all.len() {
                ", and so on"
            } else {
                ""
            };
            let _ = writeln!(
                table,
                "| {} | {} | {}{longest} s | {total} s | {} |",
                codes.join(", "),
                retry.tries,
                shown.join(", "),
                retry.why
            );
        }
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/retries.md");
        let text = std::fs::read_to_string(&page).unwrap();
        let (begin, end) = ("<!-- generated: retries -->\n", "<!-- end: retries -->");
        let (head, rest) = text.split_once(begin).unwrap();
        let (found, tail) = rest.split_once(end).unwrap();
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&page, format!("{head}{begin}{table}{end}{tail}")).unwrap();
        } else {
            assert_eq!(
                found, table,
                "docs/reference/retries.md is stale: UPDATE_DOCS=1 writes it"
            );
        }
    }
}
