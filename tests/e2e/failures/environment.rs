//! Variables with anything in them.

use pghaul_testkit::Pghaul;
use proptest::prelude::*;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

/// Those that pghaul reads, and some of libpq's.
const VARIABLES: [&str; 15] = [
    "PGHAUL_SOURCE",
    "PGHAUL_TARGET",
    "PGHAUL_SOURCE_FROM_TARGET",
    "PGHAUL_SOURCE_PASSWORD",
    "PGHAUL_TARGET_PASSWORD",
    "PGHAUL_JOURNAL",
    "PGHAUL_LOG",
    "PGHAUL_PG_BIN",
    "PGHOST",
    "PGPORT",
    "PGSSLMODE",
    "PGSERVICE",
    "PGPASSFILE",
    "PGCONNECT_TIMEOUT",
    "COLUMNS",
];

const COMMANDS: [&[&str]; 7] = [
    &["check"],
    &["plan", "--json"],
    &["run"],
    &["remove"],
    &["status"],
    &["doctor"],
    &["journal", "verify"],
];

/// What some variable understands, nearly understands, or can't be; nothing that leads to another machine.
fn value() -> impl Strategy<Value = OsString> {
    let known = [
        "",
        "host=127.0.0.1 port=1",
        "postgresql://u:p%zz@127.0.0.1:1/d",
        "host=/nonexistent user='",
        "port=0",
        "port=99999999999999999999",
        "sslmode=perhaps",
        "service=nobody",
        "/dev/null",
        "/dev/full",
        ".",
        "/nonexistent/journal.db",
        "verify-full",
        "warn,pghaul_step=trace",
        "=,=[",
        "-1",
    ];
    prop_oneof![
        3 => prop::sample::select(known.to_vec()).prop_map(OsString::from),
        1 => "[ -~äß]{0,30}".prop_map(OsString::from),
        1 => prop::collection::vec(1..=255_u8, 0..20).prop_map(OsString::from_vec),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(100) })]

    /// Whatever they say, it is understood or explained.
    #[test]
    fn any_variables_are_understood_or_explained(
        command in prop::sample::select(COMMANDS.to_vec()),
        variables in prop::collection::btree_map(prop::sample::select(VARIABLES.to_vec()), value(), 1..5),
    ) {
        let mut process = Pghaul::new().args(command.iter().copied()).command();
        // Never the server that may be there by default.
        process.env("PGHOST", "/nonexistent").envs(&variables);
        let output = process.output().expect("pghaul starts");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        let told = format!("{:?}\n{}{told}", output.status, String::from_utf8_lossy(&output.stdout));
        // 0: there is nothing to do; 1 would be a bug.
        let ended = output.status.code().is_some_and(|code| code != 1 && code < 101);
        prop_assert!(ended && !told.contains("panicked") && !told.contains("error[bug]"), "{}", told);
        prop_assert!(told.matches("error[").count() <= told.matches("hint").count(), "{}", told);
    }
}
