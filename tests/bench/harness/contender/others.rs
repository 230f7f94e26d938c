//! PostgreSQL's own tools for a copy, and pgcopydb.

use super::super::process::{pipe as piped, run};
use super::super::servers::DATABASE;
use super::{Moving, STREAMS};

/// A stream can be restored by one job only.
pub(super) fn pipe(moving: &Moving<'_, '_>, compression: &[&str]) {
    moving.servers.target().create_database(DATABASE);
    let mut dump = moving.client("pg_dump");
    dump.arg("-Fc").args(compression).args(["-d", &moving.source()]);
    let mut restore = moving.client("pg_restore");
    restore.args(["--exit-on-error", "-d", &moving.target()]);
    piped(dump, restore);
}

pub(super) fn directory(moving: &Moving<'_, '_>, compression: &[&str]) {
    moving.servers.target().create_database(DATABASE);
    let jobs = format!("-j{STREAMS}");
    let mut dump = moving.client("pg_dump");
    dump.args(["-Fd", &jobs]).args(compression);
    dump.args(["-f", "dump", "-d", &moving.source()]);
    run(dump);
    let mut restore = moving.client("pg_restore");
    restore.args(["--exit-on-error", &jobs, "-d", &moving.target(), "dump"]);
    run(restore);
}

/// Its parallelism is that of the others, all else as it comes.
pub(super) fn pgcopydb(moving: &Moving<'_, '_>) {
    let program = moving.programs.pgcopydb.as_deref().expect("pgcopydb on PATH");
    moving.servers.target().create_database(DATABASE);
    let jobs = STREAMS.to_string();
    let mut clone = moving.programs.foreign(program, &moving.directory);
    // Its working files are kept apart from others of this user.
    clone
        .env("HOME", &moving.directory)
        .args(["clone", "--dir", "pgcopydb"])
        .args(["--source", &moving.source(), "--target", &moving.target()])
        .args(["--table-jobs", &jobs, "--index-jobs", &jobs]);
    run(clone);
}
