//! Security labels of roles, whose provider the target may lack.

use crate::RoleProblem;
use pghaul_step::postgres::{ReadOnly, Row, Session, Source, Target};
use pghaul_step::{Failure, Mapping};
use std::collections::BTreeSet;

/// The libraries of sessions, where pghaul's role may see them. Which of these is a provider, no catalog tells.
const LIBRARIES: &str = "SELECT coalesce(pg_catalog.string_agg(setting, ','), '') FROM pg_catalog.pg_settings WHERE name IN \
                         ('shared_preload_libraries', 'session_preload_libraries', 'local_preload_libraries')";

const LABELS: &str = "SELECT l.provider, r.rolname::text FROM pg_catalog.pg_shseclabel l \
                      JOIN pg_catalog.pg_roles r ON l.classoid = 'pg_catalog.pg_authid'::pg_catalog.regclass \
                       AND l.objoid = r.oid ORDER BY 1, 2";

/// A label of a role: its provider and the role.
pub(crate) struct Label {
    provider: String,
    role: String,
}

/// Those of the source, with the names that the roles have on the target.
pub(crate) async fn read(
    source: &Session<Source, ReadOnly>,
    mapping: &Mapping,
) -> Result<Vec<Label>, Failure> {
    let doing = source.doing("list the security labels of roles");
    let rows = doing.query(LABELS, &[]).await?;
    let label = |row: &Row| Label {
        provider: row.get(0),
        role: mapping.role(row.get(1)).to_owned(),
    };
    Ok(rows.iter().map(label).collect())
}

/// Labels of roles that are created, whose provider has the name of no library that the target's sessions are seen to load.
pub(crate) async fn without_provider(
    labels: &[Label],
    created: &BTreeSet<&str>,
    target: &Session<Target, ReadOnly>,
) -> Result<Option<RoleProblem>, Failure> {
    let doing = target.doing("see which libraries sessions load");
    let loaded: String = doing.query_one(LIBRARIES, &[]).await?.get(0);
    let is_loaded = |provider: &str| {
        let names = loaded.split(',').map(|name| name.trim().trim_matches('"'));
        let mut names = names.filter_map(|name| name.rsplit('/').next());
        names.any(|name| name.trim_end_matches(".so") == provider)
    };
    let missing = labels
        .iter()
        .filter(|label| created.contains(label.role.as_str()) && !is_loaded(&label.provider));
    let (providers, roles): (BTreeSet<_>, BTreeSet<_>) = missing
        .map(|label| (label.provider.clone(), label.role.clone()))
        .unzip();
    Ok((!roles.is_empty()).then(|| RoleProblem::LabelsWithoutProvider {
        providers: providers.into_iter().collect(),
        roles: roles.into_iter().collect(),
    }))
}
