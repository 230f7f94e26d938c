//! A migration as people read it: the answer of `run`, `status` and `remove`.

use super::columns::{Align, lines};
use super::failure;
use super::legible::{self, legible};
use super::quantity::{bytes, count};
use crate::style::{BOLD, DIM, ERROR, WARNING, of_phase, paint};
use crate::view::{DatabaseView, LastRun, View, Worker};
use pghaul_core::event::{Incomplete, Runner};
use pghaul_core::status::method_label;
use pghaul_core::{Failure, Method, Phase, escaped};
use pghaul_step::shell_word;
use pghaul_store::Holder;

/// Everything that is known, the most important first.
pub(crate) fn text(view: &View) -> String {
    let view = &as_shown(view);
    let mut text = format!(
        "migration {} ({}): {}\n  from {}\n  to   {}\n\n",
        paint(BOLD, &view.name),
        view.id,
        status(view),
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
        at_work(view),
        last_run(view),
        unchecked(view),
        reasons(view),
        written(view),
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

/// The status, and whether the servers confirm it.
fn status(view: &View) -> String {
    let status = paint(of_phase(view.status), view.status);
    match view.unknown() {
        Some(_) => format!(
            "{status} {}",
            paint(WARNING, "as of the last check, not checked now")
        ),
        None => status,
    }
}

/// The view with all names and words in it escaped; failures are by their own renderer.
fn as_shown(view: &View) -> View {
    let text = |text: &str| escaped(text).into_owned();
    let databases = view.databases.iter().map(|database| DatabaseView {
        name: legible::database(&database.name),
        target: legible::database(&database.target),
        reasons: legible(&database.reasons),
        incomplete: legible(&database.incomplete),
        written: legible(&database.written),
        ..database.clone()
    });
    View {
        name: text(&view.name),
        source: text(&view.source),
        target: text(&view.target),
        databases: databases.collect(),
        incomplete: legible(&view.incomplete),
        last_run: view.last_run.as_ref().map(|last_run| match last_run {
            LastRun::Open { runner, here } => LastRun::Open {
                runner: legible(runner),
                here: *here,
            },
            LastRun::Failed(failure) => LastRun::Failed(failure.clone()),
        }),
        worker: view.worker.as_ref().map(|worker| Worker {
            holder: worker.holder.as_ref().map(legible),
            progress: worker.progress.as_ref().map(legible),
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
            escaped(&database.names()).into_owned(),
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
        LastRun::Open { .. } if view.worker.is_some() => None,
        LastRun::Open { runner, here } => {
            let Runner {
                host,
                pid,
                user,
                command,
                ..
            } = runner;
            let (title, what) = match here {
                true => ("the last run was killed", "has not ended in order; "),
                false => (
                    "a run has begun and not ended",
                    "works, or was killed, which this host can't know; once it has ended, ",
                ),
            };
            Some(format!(
                "{}\n  process {pid} of {user} on host {host} {what}`pghaul {command}` continues\n",
                paint(WARNING, title),
            ))
        }
        LastRun::Failed(error) => {
            let title = paint(ERROR, "the last run failed");
            Some(format!("{title}\n  {}\n{}", failure::line(error), hint(error)))
        }
    }
}

/// The process that works on the migration, and what it does.
fn at_work(view: &View) -> Option<String> {
    let worker = view.worker.as_ref()?;
    let mut text = match &worker.holder {
        Some(Holder {
            pid,
            host,
            user,
            since,
        }) => format!(
            "{}\n  process {pid} of {user} on host {host}, since {since}\n",
            paint(BOLD, "at work")
        ),
        None => format!("{}\n  a process of this host\n", paint(BOLD, "at work")),
    };
    let progress = worker.progress.as_ref();
    if let Some(work) = progress.and_then(|progress| progress.cluster.as_ref()) {
        text.push_str(&format!("  all databases: {}\n", work.words()));
    }
    for (database, work) in progress.iter().flat_map(|progress| &progress.databases) {
        text.push_str(&format!("  {database}: {}\n", work.words()));
    }
    Some(text)
}

/// What a one-time copy lacks.
fn written(view: &View) -> Option<String> {
    let texts: Vec<String> = view
        .databases
        .iter()
        .filter(|database| !database.written.is_empty())
        .map(|database| {
            let lines = database.written.iter();
            let lines: String = lines
                .map(|item| format!("  {}: {}: {}\n", database.name, item.object, item.why))
                .collect();
            let name = shell_word(database.name.as_str());
            format!("{lines}    hint: `pghaul run --restart-data {name}` copies it again\n")
        })
        .collect();
    let title = paint(WARNING, "written on the source since it was copied");
    (!texts.is_empty()).then(|| format!("{title}\n{}", texts.concat()))
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
    let of = |shown: &dyn Fn(&DatabaseView, &Incomplete) -> bool| {
        let databases = view.databases.iter();
        let items =
            databases.flat_map(|database| database.incomplete.iter().map(move |item| (database, item)));
        items
            .filter(|(database, item)| shown(database, item))
            .map(|(database, item)| line(&format!("{}: ", database.name), item))
            .collect::<String>()
    };
    let of_cluster: String = view.incomplete.iter().map(|item| line("", item)).collect();
    let sections = [
        (
            "to be completed at the cutover",
            of_cluster + &of(&|d, item| !removed(d) && item.is_open()),
        ),
        (
            "to be completed by `pghaul remove`",
            of(&|d, item| !removed(d) && item.by_removal),
        ),
        (
            "left incomplete when it was removed",
            of(&|d, item| removed(d) && !item.kept),
        ),
        ("kept as it is in use on the target", of(&|_, item| item.kept)),
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
    let mut items = view.databases.iter().flat_map(|d| &d.incomplete);
    let incomplete = !view.incomplete.is_empty() || items.any(Incomplete::is_open);
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
mod tests;
