//! Steps and checks in the order in which they run.

use super::columns::{Align, lines};
use crate::style::{BOLD, DIM, paint};
use pghaul_core::status::method_label;
use pghaul_step::step::EVERY_ROUTE;
use pghaul_step::{CheckDescriptor, Descriptor, Origin, Registry, RegistryError, Repeats, Route};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What `pghaul steps` shows.
///
/// # Errors
/// When the steps have no order.
pub(crate) fn text(registry: &Registry) -> Result<String, RegistryError> {
    let mut text = text_of_checks(registry);
    let cluster = registry
        .cluster_steps()?
        .iter()
        .map(|s| s.descriptor())
        .collect::<Vec<_>>();
    text.push_str(&steps(registry, "steps, once", &cluster));
    for route in EVERY_ROUTE {
        let of_route = registry
            .database_steps(*route)?
            .iter()
            .map(|s| s.descriptor())
            .collect::<Vec<_>>();
        text.push_str(&steps(
            registry,
            &format!("steps for each database, {}", way(*route)),
            &of_route,
        ));
    }
    Ok(text)
}

/// What `pghaul checks` shows.
pub(crate) fn text_of_checks(registry: &Registry) -> String {
    let mut text = section(
        registry,
        "checks of the servers",
        registry.cluster_checks().iter().map(|c| c.descriptor()),
    );
    text.push_str(&section(
        registry,
        "checks of each database",
        registry.database_checks().iter().map(|c| c.descriptor()),
    ));
    text
}

/// Where something comes from, unless it comes with pghaul.
fn origin(origin: &Origin) -> String {
    match origin {
        Origin::BuiltIn => String::new(),
        other => paint(DIM, format_args!("({other})")),
    }
}

/// A way in the words of the command line.
fn way(route: Route) -> &'static str {
    match route {
        Route::ReplicationBySnapshot => "method replication, initial copy by snapshot",
        Route::ReplicationByServer => "method replication, initial copy by server",
        Route::Dump => "method pg_dump",
    }
}

fn section(registry: &Registry, title: &str, checks: impl Iterator<Item = CheckDescriptor>) -> String {
    let rows: Vec<_> = checks
        .map(|c| {
            let summary = format!("{} {}", c.summary, origin(&registry.origin_of_check(c.name)));
            vec![format!("  {}", c.name), summary.trim_end().to_owned()]
        })
        .collect();
    format!(
        "{}\n{}\n",
        paint(BOLD, title),
        lines(&[Align::Left, Align::Left], &rows)
    )
}

fn steps(registry: &Registry, title: &str, steps: &[Descriptor]) -> String {
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
                format!(
                    "{}{again} {}",
                    s.summary,
                    origin(&registry.origin_of_step(s.name))
                )
                .trim_end()
                .to_owned(),
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
    let cluster = registry.cluster_steps()?;
    let cluster = cluster.iter().map(|step| step.descriptor());
    let mut steps: Vec<Value> = cluster
        .map(|step| json_of_step(registry, "cluster", &step))
        .collect();
    for route in EVERY_ROUTE {
        for found in registry.database_steps(*route)? {
            let value = json_of_step(registry, "database", &found.descriptor());
            if !steps.contains(&value) {
                steps.push(value);
            }
        }
    }
    Ok(json!({ "checks": checks(registry), "steps": steps }))
}

/// What `pghaul checks --json` answers.
pub(crate) fn json_of_checks(registry: &Registry) -> Value {
    json!({ "checks": checks(registry) })
}

fn checks(registry: &Registry) -> Vec<Value> {
    let check = |scope: &str, c: CheckDescriptor| {
        json!({
            "name": c.name, "scope": scope, "summary": c.summary, "after": c.after,
            "origin": registry.origin_of_check(c.name).to_string(),
        })
    };
    let cluster = registry.cluster_checks().iter().map(|c| c.descriptor());
    let database = registry.database_checks().iter().map(|c| c.descriptor());
    cluster
        .map(|c| check("cluster", c))
        .chain(database.map(|c| check("database", c)))
        .collect()
}

fn json_of_step(registry: &Registry, scope: &str, s: &Descriptor) -> Value {
    json!({
        "name": s.name, "scope": scope, "version": s.version(), "phase": s.phase.to_string(),
        "methods": s.routes.iter().map(|r| method_label(r.method())).collect::<BTreeSet<_>>(),
        "routes": s.routes.iter().map(ToString::to_string).collect::<Vec<_>>(), "beside": s.beside,
        "after": s.after, "before": s.before, "copies_rows": s.copies_rows, "repeats": s.repeats,
        "summary": s.summary, "origin": registry.origin_of_step(s.name).to_string(),
        "definition": s.definition,
    })
}
