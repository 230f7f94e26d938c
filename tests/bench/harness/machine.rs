//! What the figures depend on besides the contenders. No names of hosts.

use super::programs::Programs;
use super::servers::{SETTINGS, Servers};
use serde_json::{Value, json};
use std::path::Path;

/// The machine, the versions and the settings.
pub(super) fn describe(servers: &Servers, programs: &Programs) -> Value {
    let version = |server: &pghaul_testkit::Cluster| server.psql("postgres", "show server_version");
    let settings: Value = SETTINGS
        .iter()
        .map(|(name, value)| ((*name).to_owned(), Value::from(*value)))
        .collect();
    json!({
        "machine": {
            "cores": std::thread::available_parallelism().map_or(1, usize::from),
            "processor": field("/proc/cpuinfo", "model name"),
            "memory_bytes": memory(),
        },
        "versions": {
            "source": version(servers.source()),
            "target": version(servers.target()),
            "pg_dump": programs.version(Path::new("pg_dump")),
            "pgcopydb": programs.pgcopydb.as_deref().map(|program| programs.version(program)),
            "pghaul": Programs::pghaul_version(),
        },
        "settings": settings,
    })
}

fn memory() -> Option<u64> {
    let kib = field("/proc/meminfo", "MemTotal")?;
    let kib: u64 = kib.strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}

/// What stands after the first `name:` of a file.
fn field(file: &str, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    let (_, value) = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim() == name)?;
    Some(value.trim().to_owned())
}
