//! What the servers can do: binary COPY from psql to psql in two streams, then every index, then every foreign key.
//! Nothing is journaled or checked, and nothing could be continued.
//!
//! Thousands of small tables would measure how fast processes start. They share two sessions for some hundreds, the
//! rows passing as text between them, as psql can't tell where binary rows in a script end. What needs no flush by itself
//! is flushed once at the end.

use super::super::catalog::{self, Index, Table};
use super::super::process::{self, pipe};
use super::super::servers::DATABASE;
use super::{Moving, STREAMS};
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// Smaller tables share sessions and transactions.
const SMALL: u64 = 1 << 20;

/// Larger tables are copied in two parts.
const LARGE: u64 = 64 << 20;

/// Pages from which the middle of the heap is the middle of the rows.
const MANY_PAGES: u64 = 100;

/// How many small tables share a session at the most.
const TOGETHER: usize = 250;

/// psql's word for a statement that is finished.
const FINISHED: &str = "finished";

pub(super) fn migrate(moving: &Moving<'_, '_>) {
    let (source, target) = (moving.servers.source(), moving.servers.target());
    target.create_database(DATABASE);
    let mut dump = moving.client("pg_dump");
    dump.args(["--schema-only", "--section=pre-data", "-d", &moving.source()]);
    pipe(dump, writing(moving));

    let tables = catalog::tables(source);
    in_streams(copies(moving, &tables), |copies| {
        while let Some(copy) = copies.next() {
            copy.make(moving);
        }
    });
    in_sessions(moving, index_builds(&tables, catalog::indexes(source)));
    in_sessions(moving, catalog::foreign_keys(source));
}

/// A session in the target whose commits wait for no flush.
fn writing(moving: &Moving<'_, '_>) -> Command {
    let mut psql = moving.psql(&moving.target());
    psql.env(
        "PGOPTIONS",
        "-c synchronous_commit=off -c client_min_messages=warning",
    );
    psql
}

/// One pipe.
struct Copy {
    read: Script,
    write: Script,
}

enum Script {
    Statement(String),
    File(PathBuf),
    Input,
}

impl Copy {
    fn make(&self, moving: &Moving<'_, '_>) {
        let run = |mut psql: Command, script: &Script| {
            match script {
                Script::Statement(statement) => psql.args(["-c", statement]),
                Script::File(file) => psql.arg("-f").arg(file),
                Script::Input => psql.args(["--single-transaction", "-f", "-"]),
            };
            psql
        };
        let read = run(moving.psql(&moving.source()), &self.read);
        pipe(read, run(writing(moving), &self.write));
    }
}

/// All copies, largest first.
fn copies(moving: &Moving<'_, '_>, tables: &[Table]) -> Vec<Copy> {
    let (large, small): (Vec<&Table>, Vec<&Table>) = tables.iter().partition(|table| table.bytes >= SMALL);
    let mut copies: Vec<Copy> = large.into_iter().flat_map(|table| parts(moving, table)).collect();
    for (number, together) in small.chunks(chunk(small.len())).enumerate() {
        let file = moving.directory.join(format!("{number}.sql"));
        let mut script = String::new();
        for Table { name, .. } in together {
            writeln!(
                script,
                "\\echo 'copy {} from stdin;'\ncopy {name} to stdout;\n\\echo '\\\\.'",
                name.replace('\'', "''")
            )
            .expect("writing to a String");
        }
        std::fs::write(&file, script).expect("write a script");
        copies.push(Copy {
            read: Script::File(file),
            write: Script::Input,
        });
    }
    copies
}

fn parts(moving: &Moving<'_, '_>, table: &Table) -> Vec<Copy> {
    let name = &table.name;
    let copy = |rows: &str| Copy {
        read: Script::Statement(format!("copy {rows} to stdout (format binary)")),
        write: Script::Statement(format!("copy {name} from stdin (format binary)")),
    };
    let middle = match table.pages {
        _ if table.bytes < LARGE => None,
        MANY_PAGES.. => Some(format!("({},0)", table.pages / 2)),
        _ => catalog::middle(moving.servers.source(), name),
    };
    let Some(middle) = middle else {
        return vec![copy(name)];
    };
    ["<", ">="]
        .map(|side| {
            copy(&format!(
                "(select * from {name} where ctid {side} '{middle}'::tid)"
            ))
        })
        .into()
}

/// Enough chunks for all streams to end at about the same time.
fn chunk(tables: usize) -> usize {
    tables.div_ceil(4 * STREAMS).clamp(1, TOGETHER)
}

/// Scripts that make all indexes: a large table's each on its own, so that several are made at once, their constraints
/// in the end with the small tables.
fn index_builds(tables: &[Table], indexes: Vec<Index>) -> Vec<String> {
    let is_large = |index: &Index| {
        let table = tables.iter().find(|table| table.name == index.table);
        table.is_some_and(|table| table.bytes >= SMALL)
    };
    let small_tables = tables.iter().filter(|table| table.bytes < SMALL).count();
    let (large, mut small): (Vec<Index>, Vec<Index>) = indexes.into_iter().partition(is_large);
    // Statements of one table stay together, as they would wait for each other's locks.
    small.sort_by(|a, b| a.table.cmp(&b.table));
    let of_tables: Vec<String> = small
        .chunk_by(|a, b| a.table == b.table)
        .map(|indexes| {
            let statement = |index: &Index| match index.add.as_str() {
                "" => format!("{};\n", index.create),
                add => format!("{add};\n"),
            };
            indexes.iter().map(statement).collect()
        })
        .collect();
    let together = of_tables.chunks(chunk(small_tables));
    let mut scripts: Vec<String> = large
        .into_iter()
        .map(|index| match index.adopt.as_str() {
            "" => index.create,
            adopt => format!("{};\n{adopt}", index.create),
        })
        .collect();
    scripts.extend(together.map(|tables| format!("begin;\n{}commit", tables.concat())));
    scripts
}

/// Runs the scripts in as many sessions of psql as there are streams.
fn in_sessions(moving: &Moving<'_, '_>, scripts: Vec<String>) {
    in_streams(scripts, |scripts| {
        let mut psql = moving.psql(&moving.target());
        psql.args(["-f", "-"])
            .env(
                "PGOPTIONS",
                "-c synchronous_commit=off -c client_min_messages=warning",
            )
            .stdin(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = psql.spawn().expect("start psql");
        let mut input = child.stdin.take().expect("its input");
        let mut answers = BufReader::new(child.stderr.take().expect("its messages")).lines();
        let mut finish = |script: &str| {
            // A psql that has failed is not there any more; why is in its messages.
            let _ = writeln!(input, "{script};\n\\warn {FINISHED}");
            let answer = answers.next();
            if !matches!(&answer, Some(Ok(line)) if line == FINISHED) {
                let rest: Vec<_> = answer.into_iter().chain(answers.by_ref()).flatten().collect();
                panic!("psql: {}", rest.join("\n"));
            }
        };
        while let Some(script) = scripts.next() {
            finish(&script);
        }
        finish("set synchronous_commit = on; select txid_current()");
        drop(input);
        process::end(child, &psql);
    });
}

/// Work that several streams take from.
struct Queue<T>(Mutex<VecDeque<T>>);

impl<T> Queue<T> {
    fn next(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

fn in_streams<T: Send>(work: Vec<T>, stream: impl Fn(&Queue<T>) + Sync) {
    let queue = Queue(Mutex::new(work.into()));
    std::thread::scope(|scope| {
        for _ in 0..STREAMS {
            scope.spawn(|| stream(&queue));
        }
    });
}
