//! Steps and checks in the order in which they run.

use super::columns::{Align, lines};
use crate::style::{BOLD, DIM, paint};
use pghaul_core::status::method_label;
use pghaul_step::step::EVERY_ROUTE;
use pghaul_step::{Descriptor, Registry, RegistryError, Repeats, Route};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What `pghaul steps` shows.
///
/// # Errors
/// When the steps have no order.
pub(crate) fn text(registry: &Registry) -> Result<String, RegistryError> {
    let mut text = section(
        "checks of the servers",
        registry.cluster_checks().iter().map(|c| c.descriptor()),
    );
    text.push_str(&section(
        "checks of each database",
        registry.database_checks().iter().map(|c| c.descriptor()),
    ));
    let cluster = registry
        .cluster_steps()?
        .iter()
        .map(|s| s.descriptor())
        .collect::<Vec<_>>();
    text.push_str(&steps("steps, once", &cluster));
    for route in EVERY_ROUTE {
        let of_route = registry
            .database_steps(*route)?
            .iter()
            .map(|s| s.descriptor())
            .collect::<Vec<_>>();
        text.push_str(&steps(
            &format!("steps for each database, {}", way(*route)),
            &of_route,
        ));
    }
    Ok(text)
}

/// A way in the words of the command line.
fn way(route: Route) -> &'static str {
    match route {
        Route::ReplicationBySnapshot => "method replication, initial copy by snapshot",
        Route::ReplicationByServer => "method replication, initial copy by server",
        Route::Dump => "method pg_dump",
    }
}

fn section(title: &str, checks: impl Iterator<Item = pghaul_step::CheckDescriptor>) -> String {
    let rows: Vec<_> = checks
        .map(|c| vec![format!("  {}", c.name), c.summary.to_owned()])
        .collect();
    format!(
        "{}\n{}\n",
        paint(BOLD, title),
        lines(&[Align::Left, Align::Left], &rows)
    )
}

fn steps(title: &str, steps: &[Descriptor]) -> String {
    let rows: Vec<_> = steps
        .iter()
        .map(|s| {
            let again = match (s.repeats, s.beside) {
                (Repeats::EveryRun, _) => " (by every run)".to_owned(),
                (Repeats::Removal, _) => " (also by remove)".to_owned(),
                (Repeats::Never, Some(other)) => format!(" (beside {other})"),
                (Repeats::Never, None) => String::new(),
            };
            vec![
                format!("  {}", s.name),
                paint(DIM, format_args!("v{}", s.version())),
                paint(DIM, s.phase),
                format!("{}{again}", s.summary),
            ]
        })
        .collect();
    format!("{}\n{}\n", paint(BOLD, title), lines(&[Align::Left; 4], &rows))
}

/// The same as JSON.
///
/// # Errors
/// As [`text`].
pub(crate) fn json(registry: &Registry) -> Result<Value, RegistryError> {
    let check = |scope: &str, c: pghaul_step::CheckDescriptor| json!({ "name": c.name, "scope": scope, "summary": c.summary, "after": c.after });
    let step = |scope: &str, s: Descriptor| {
        json!({
            "name": s.name, "scope": scope, "version": s.version(), "phase": s.phase.to_string(),
            "methods": s.routes.iter().map(|r| method_label(r.method())).collect::<BTreeSet<_>>(),
            "routes": s.routes.iter().map(ToString::to_string).collect::<Vec<_>>(), "beside": s.beside,
            "after": s.after, "copies_rows": s.copies_rows, "repeats": s.repeats, "summary": s.summary,
        })
    };
    let cluster_checks = registry
        .cluster_checks()
        .iter()
        .map(|c| check("cluster", c.descriptor()));
    let database_checks = registry
        .database_checks()
        .iter()
        .map(|c| check("database", c.descriptor()));
    let mut steps: Vec<Value> = registry
        .cluster_steps()?
        .iter()
        .map(|s| step("cluster", s.descriptor()))
        .collect();
    for route in EVERY_ROUTE {
        for found in registry.database_steps(*route)? {
            let value = step("database", found.descriptor());
            if !steps.contains(&value) {
                steps.push(value);
            }
        }
    }
    Ok(json!({ "checks": cluster_checks.chain(database_checks).collect::<Vec<_>>(), "steps": steps }))
}
