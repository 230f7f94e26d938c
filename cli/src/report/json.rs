//! A migration as programs read it. The names inside `migration` that users of hosted migrations know keep their
//! meaning for ever; pghaul's own stand beside them.

use crate::view::{DatabaseView, LastRun, View};
use pghaul_core::event::Incomplete;
use pghaul_core::status::method_label;
use serde_json::{Value, json};

/// `status --json`.
pub(crate) fn status(view: &View) -> Value {
    json!({ "migration": {
        "error": view.error().map(ToString::to_string),
        "method": view.method(),
        "status": view.status.to_string(),
        "migration_detail": view.databases.iter().map(database).collect::<Vec<_>>(),
        "id": view.id,
        "name": view.name,
        "source": view.source,
        "target": view.target,
        "head": view.head.to_string(),
        "as_of": view.as_of,
        "incomplete": incomplete(&view.incomplete),
        "last_run": view.last_run.as_ref().map(last_run),
        "running": view.worker.as_ref().map(|worker| json!({
            "process": worker.holder,
            "progress": worker.progress,
        })),
        "older_copy": view.older_copy,
    } })
}

fn incomplete(items: &[Incomplete]) -> Vec<Value> {
    let item = |item: &Incomplete| {
        json!({
            "object": item.object,
            "why": item.why,
            "as_of": item.as_of,
            "sql": item.sql,
            "refused": item.refused,
            "by_removal": item.by_removal,
            "kept": item.kept,
        })
    };
    items.iter().map(item).collect()
}

fn last_run(last_run: &LastRun) -> Value {
    match last_run {
        LastRun::Open { runner, .. } => json!({ "ended": false, "runner": runner }),
        LastRun::Failed(failure) => json!({ "ended": true, "failure": failure }),
    }
}

fn database(view: &DatabaseView) -> Value {
    json!({
        "dbname": view.name,
        "target_dbname": view.target,
        "error": view.error.as_ref().map(ToString::to_string),
        "method": view.method.map(method_label).unwrap_or_default(),
        "status": view.phase.to_string(),
        "failure": view.error,
        "problems": view.problems,
        "reasons": view.reasons,
        "tables": view.tables,
        "rows": view.rows,
        "lag_bytes": view.lag_bytes,
        "lag_seconds": view.lag_seconds,
        "retained_wal_bytes": view.retained_bytes,
        "retained_wal_limit_bytes": view.keep_size_bytes,
        "incomplete": incomplete(&view.incomplete),
        "written_since_copy": incomplete(&view.written),
        "as_of": view.as_of,
        "checked": view.checked,
        "unchecked_because": view.unchecked,
    })
}
