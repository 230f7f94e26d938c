//! A migration as people read it: the answer of `run`, `status` and `remove`.

use super::columns::{Align, lines};
use super::failure;
use super::legible::{self, legible};
use super::quantity::{bytes, count};
use crate::style::{BOLD, DIM, ERROR, WARNING, of_phase, paint};
use crate::view::{DatabaseView, LastRun, View};
use pghaul_core::event::{Incomplete, Runner};
use pghaul_core::status::method_label;
use pghaul_core::{Failure, Method, Phase, escaped};
use pghaul_step::shell_word;

/// Everything that is known, the most important first.
pub(crate) fn text(view: &View) -> String {
    let view = &as_shown(view);
    let mut text = format!(
        "migration {} ({}): {}\n  from {}\n  to   {}\n\n",
        paint(BOLD, &view.name),
        view.id,
        paint(of_phase(view.status), view.status),
        view.source,
        view.target,
    );
    if view.databases.is_empty() {
        text.push_str("no database has been selected yet\n");
    } else {
        text.push_str(&table(&view.databases));
    }
    let sections = [
        older_copy(view),
        errors(view),
        last_run(view),
        unchecked(view),
        reasons(view),
        incomplete(view),
    ];
    for section in sections.into_iter().flatten() {
        text.push('\n');
        text.push_str(&section);
    }
    text.push('\n');
    if let Some(as_of) = &view.as_of {
        text.push_str(&paint(DIM, format_args!("as of    {as_of}")));
        text.push('\n');
    }
    text.push_str(&paint(DIM, format_args!("journal  {}", view.head)));
    text.push('\n');
    text
}

/// The view with all names and words in it escaped; failures are by their own renderer.
fn as_shown(view: &View) -> View {
    let text = |text: &str| escaped(text).into_owned();
    let databases = view.databases.iter().map(|database| DatabaseView {
        name: legible::database(&database.name),
        reasons: legible(&database.reasons),
        incomplete: legible(&database.incomplete),
        ..database.clone()
    });
    View {
        name: text(&view.name),
        source: text(&view.source),
        target: text(&view.target),
        databases: databases.collect(),
        incomplete: legible(&view.incomplete),
        last_run: view.last_run.as_ref().map(|last_run| match last_run {
            LastRun::Open(runner) => LastRun::Open(legible(runner)),
            LastRun::Failed(failure) => LastRun::Failed(failure.clone()),
        }),
        ..view.clone()
    }
}

/// The databases, a line each.
pub(crate) fn table(databases: &[DatabaseView]) -> String {
    let head = [
        "DATABASE",
        "STATUS",
        "METHOD",
        "TABLES",
        "ROWS COPIED",
        "LAG",
        "WAL KEPT",
    ];
    let mut rows = vec![head.iter().map(|title| paint(DIM, title)).collect::<Vec<_>>()];
    for database in databases {
        let optional = |number: Option<u64>, shown: fn(u64) -> String| number.map_or("–".to_owned(), shown);
        rows.push(vec![
            legible::database(&database.name).to_string(),
            phase(database),
            database.method.map_or("–", method_label).to_owned(),
            optional(database.tables, count),
            optional(database.rows, count),
            optional(database.lag_bytes, bytes),
            retained(database),
        ]);
    }
    use Align::{Left, Right};
    lines(&[Left, Left, Left, Right, Right, Right, Right], &rows)
}

/// The WAL that the source keeps, against its limit where it has one.
fn retained(database: &DatabaseView) -> String {
    match (database.retained_bytes, database.keep_size_bytes) {
        (None, _) => "–".to_owned(),
        (Some(kept), None) => bytes(kept),
        (Some(kept), Some(limit)) => {
            let text = format!("{} of {}", bytes(kept), bytes(limit));
            if kept / 4 >= limit / 5 {
                paint(WARNING, text)
            } else {
                text
            }
        }
    }
}

fn phase(database: &DatabaseView) -> String {
    let painted = paint(of_phase(database.phase), database.phase);
    match database.during {
        Some(during) => format!("{painted} while {during}"),
        None => painted,
    }
}

fn errors(view: &View) -> Option<String> {
    let failed = view.databases.iter().filter(|d| d.phase == Phase::Failed);
    let texts: Vec<String> = failed
        .filter_map(|database| {
            let error = database.error.as_ref()?;
            Some(format!(
                "  {}: {}\n{}",
                database.name,
                failure::line(error),
                hint(error)
            ))
        })
        .collect();
    (!texts.is_empty()).then(|| format!("{}\n{}", paint(ERROR, "failed"), texts.concat()))
}

fn older_copy(view: &View) -> Option<String> {
    let failure = view.older_copy.as_ref()?;
    let title = paint(ERROR, "not the newest journal");
    Some(format!(
        "{title}\n  {}\n{}",
        failure::line(failure),
        hint(failure)
    ))
}

fn hint(error: &Failure) -> String {
    let hint = error.hint.as_ref();
    hint.map(|hint| format!("    hint: {}\n", escaped(hint)))
        .unwrap_or_default()
}

fn last_run(view: &View) -> Option<String> {
    match view.last_run.as_ref()? {
        LastRun::Open(Runner { host, pid, user, .. }) => Some(format!(
            "{}\n  process {pid} of {user} on host {host} works, or was killed; `pghaul run` goes on when it has ended\n",
            paint(BOLD, "a run has begun and not ended"),
        )),
        LastRun::Failed(error) => {
            let title = paint(ERROR, "the last run failed");
            Some(format!("{title}\n  {}\n{}", failure::line(error), hint(error)))
        }
    }
}

fn unchecked(view: &View) -> Option<String> {
    let texts: Vec<String> = view
        .databases
        .iter()
        .filter_map(|database| {
            let failure = database.unchecked.as_ref()?;
            let as_of = database.as_of.as_deref().unwrap_or("the last run");
            Some(format!(
                "  {}: as of {as_of}; {}\n",
                database.name,
                failure::line(failure)
            ))
        })
        .collect();
    let title = paint(WARNING, "not checked now");
    (!texts.is_empty()).then(|| format!("{title}\n{}", texts.concat()))
}

fn reasons(view: &View) -> Option<String> {
    let texts: Vec<String> = view
        .databases
        .iter()
        .filter(|database| database.method == Some(Method::Dump) && database.phase != Phase::Removed)
        .flat_map(|database| {
            database
                .reasons
                .iter()
                .map(move |reason| format!("  {}: {reason}\n", database.name))
        })
        .collect();
    (!texts.is_empty()).then(|| {
        format!(
            "{}\n{}",
            paint(BOLD, "copied once, not replicated"),
            texts.concat()
        )
    })
}

/// What is to be completed, and what was left incomplete for good.
fn incomplete(view: &View) -> Option<String> {
    let removed = |d: &DatabaseView| matches!(d.phase, Phase::Removing | Phase::Removed);
    let line = |place: &str, item: &Incomplete| {
        let as_of = item
            .as_of
            .as_ref()
            .map(|as_of| format!(" (as of {as_of})"))
            .unwrap_or_default();
        let sql = item
            .sql
            .as_ref()
            .map(|sql| format!("    see: {sql}\n"))
            .unwrap_or_default();
        format!("  {place}{}: {}{as_of}\n{sql}", item.object, item.why)
    };
    let of = |shown: &dyn Fn(&DatabaseView) -> bool| {
        let databases = view.databases.iter().filter(|database| shown(database));
        let items =
            databases.flat_map(|database| database.incomplete.iter().map(move |item| (database, item)));
        items
            .map(|(database, item)| line(&format!("{}: ", database.name), item))
            .collect::<String>()
    };
    let of_cluster: String = view.incomplete.iter().map(|item| line("", item)).collect();
    let sections = [
        (
            "to be completed at the cutover",
            of_cluster + &of(&|d| !removed(d)),
        ),
        ("left incomplete when it was removed", of(&removed)),
    ];
    let sections: Vec<String> = sections
        .into_iter()
        .filter(|(_, lines)| !lines.is_empty())
        .map(|(title, lines)| format!("{}\n{lines}", paint(WARNING, title)))
        .collect();
    (!sections.is_empty()).then(|| sections.join("\n"))
}

/// What to do after a `run` that has arrived: made of what it has led to.
pub(crate) fn next_steps(view: &View, name: &str) -> String {
    let replicated = view.databases.iter().any(|d| d.phase == Phase::Syncing);
    let copied: Vec<&DatabaseView> = view.databases.iter().filter(|d| d.phase == Phase::Done).collect();
    let mut steps = vec!["stop everything that writes to the source".to_owned()];
    if !copied.is_empty() {
        let each = |d: &&DatabaseView| format!(" --restart-data {}", escaped(&shell_word(d.name.as_str())));
        steps.push(format!(
            "pghaul run --name {name}{}   copies again what was copied once; leave out what nothing has written to",
            copied.iter().map(each).collect::<String>()
        ));
    }
    if replicated {
        steps.push(format!("pghaul status --name {name}   until the lag is 0"));
    }
    let incomplete = !view.incomplete.is_empty() || view.databases.iter().any(|d| !d.incomplete.is_empty());
    if incomplete {
        steps.push("complete by hand what is listed above".to_owned());
    }
    let option = if incomplete { " --incomplete" } else { "" };
    let what = match replicated {
        true => "proves that nothing is missing, sets the sequences, and removes what pghaul has made",
        false => "sees that nothing was written since, and closes the migration",
    };
    steps.push(format!("pghaul remove --name {name}{option}   {what}"));
    steps.push("let your applications use the target".to_owned());
    let numbered = (1..)
        .zip(steps)
        .map(|(number, step)| format!("  {number}. {step}\n"));
    format!(
        "{}{}\n{}",
        copied_once(&copied),
        paint(BOLD, "next, when you want to change over"),
        numbered.collect::<String>()
    )
}

/// Every database whose rows do not follow the source.
fn copied_once(copied: &[&DatabaseView]) -> String {
    if copied.is_empty() {
        return String::new();
    }
    let title =
        "does not follow the source: rows that are written there after the copy are not on the target";
    let each = |d: &&DatabaseView| {
        let as_of = d.copied_at.as_ref().map(|at| format!(" (copy as of {at})"));
        format!("  {}{}\n", legible::database(&d.name), as_of.unwrap_or_default())
    };
    let lines: String = copied.iter().map(each).collect();
    format!("{}\n{lines}\n", paint(WARNING, title))
}

#[cfg(test)]
mod tests {
    use super::{next_steps, text};
    use crate::exit_code::ExitCode;
    use crate::report::json;
    use crate::view::{DatabaseView, LastRun, View};
    use pghaul_core::event::Incomplete;
    use pghaul_core::journal::Head;
    use pghaul_core::{Code, DatabaseName, Failure, Method, MigrationId, Phase, Seq, Side};
    use pghaul_step::{Proof, Standing};
    use std::collections::BTreeMap;

    const NOW: &str = "2026-11-22T17:10:00.000Z";

    fn database(number: u32, name: &str, phase: Phase, method: Method) -> DatabaseView {
        DatabaseView {
            name: DatabaseName::from(name),
            number,
            phase,
            during: None,
            method: Some(method),
            error: None,
            problems: Vec::new(),
            reasons: Vec::new(),
            tables: Some(8),
            rows: Some(1_200_034),
            incomplete: Vec::new(),
            copied_at: (phase == Phase::Done).then(|| "0/15D6A28".to_owned()),
            lag_bytes: None,
            retained_bytes: None,
            keep_size_bytes: None,
            as_of: Some("2026-11-22T17:00:00.000Z".to_owned()),
            checked: false,
            unchecked: None,
        }
    }

    fn view() -> View {
        let reasons = vec!["max_replication_slots of the source is 1".to_owned()];
        View {
            id: MigrationId::new("k3v9x2ab"),
            name: "brave-otter".to_owned(),
            source: "host=old user=mover".to_owned(),
            target: "host=new user=mover".to_owned(),
            status: Phase::Done,
            databases: vec![
                database(1, "shop", Phase::Syncing, Method::Replication),
                DatabaseView {
                    reasons,
                    ..database(2, "stats", Phase::Done, Method::Dump)
                },
            ],
            incomplete: Vec::new(),
            head: Head {
                seq: Seq(41),
                hash: "9f3a".to_owned(),
            },
            as_of: None,
            last_run: None,
            older_copy: None,
        }
    }

    fn looked(standing: Result<Standing, Failure>) -> View {
        view().with_standings(BTreeMap::from([(DatabaseName::from("shop"), standing)]), NOW)
    }

    fn plain(view: &View) -> String {
        anstream::adapter::strip_str(&text(view)).to_string()
    }

    #[test]
    fn a_proven_migration() {
        let object = "table public.audit".to_owned();
        let incomplete = vec![Incomplete {
            object,
            why: "not replicated".to_owned(),
            ..Incomplete::default()
        }];
        let proof = Proof {
            tables: 8,
            incomplete,
            ..Proof::default()
        };
        let found = Standing {
            proof,
            lag_bytes: Some(0),
            retained_bytes: Some(56),
            ..Standing::default()
        };
        let view = looked(Ok(found));
        insta::assert_snapshot!(plain(&view));
        insta::assert_snapshot!(anstream::adapter::strip_str(&next_steps(&view, &view.name)).to_string());
        insta::assert_snapshot!(format!("{:#}", json::status(&view)));
        assert_eq!(view.exit_code(), ExitCode::Success);
    }

    #[test]
    fn broken_replication_is_a_failure_whatever_the_journal_says() {
        let problem = Failure::new(Code::ApplyFailed, "the subscription is disabled")
            .with_side(Side::Target)
            .with_hint("see the target's log");
        let view = looked(Ok(Standing {
            problems: vec![problem],
            ..Standing::default()
        }));
        assert_eq!(
            (view.status, view.exit_code()),
            (Phase::Failed, ExitCode::MigrationFailed)
        );
        insta::assert_snapshot!(plain(&view));
        let lost = looked(Err(Failure::new(Code::SlotLost, "the slot is gone")));
        assert_eq!(lost.status, Phase::Failed);
    }

    #[test]
    fn a_server_that_can_not_be_asked_leaves_the_journaled_state_and_says_so() {
        let refused = Failure::new(Code::ConnectionRefused, "Connection refused").with_side(Side::Target);
        let view = looked(Err(refused.clone()));
        assert_eq!((view.status, view.exit_code()), (Phase::Done, ExitCode::Success));
        assert!(!view.databases[0].checked);
        assert_eq!(
            json::status(&view)["migration"]["migration_detail"][0]["checked"],
            false
        );
        let text = plain(&view);
        assert!(
            text.contains("not checked now\n  shop: as of 2026-11-22T17:00:00.000Z; target: Connection"),
            "{text}"
        );
        let view = self::view().unreachable(&refused);
        let unchecked: Vec<bool> = view.databases.iter().map(|d| d.unchecked.is_some()).collect();
        assert_eq!(unchecked, [true, false], "a finished copy needs no server");
    }

    #[test]
    fn the_overall_method_is_empty_where_the_databases_differ() {
        assert_eq!(view().method(), "");
        let same = View {
            databases: view().databases.into_iter().take(1).collect(),
            ..view()
        };
        assert_eq!(same.method(), "replication");
    }

    #[test]
    fn how_the_last_run_ended_is_said_to_who_asks() {
        let mut view = view();
        let failure = Failure::new(Code::CheckFailed, "1 finding stops the migration").with_hint("mend it");
        view.last_run = Some(LastRun::Failed(failure));
        let said = plain(&view);
        assert!(
            said.contains("the last run failed\n  1 finding stops the migration\n    hint: mend it\n"),
            "{said}"
        );
    }
}
