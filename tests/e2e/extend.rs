//! Checks in SQL, and checks, steps and observers that are programs: the examples of the documentation, on real servers.

use crate::migration::{Migration, assert_nothing_of_it_is_left};
use pghaul_testkit::{ClusterPair, Kind, Outcome, Settings, compare, shared_pair};
use serde_json::Value;
use std::fs::{self, Permissions};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

const USAGE: i32 = 2;
const CHECK_FAILED: i32 = 3;
const OTHER_RELEASE: i32 = 6;

/// The examples of the documentation.
fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/examples/programs")
}

/// A configuration in a folder of its own, beside the program `p`, a shell script.
fn configured(text: &str, script: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("pghaul.toml"), text).expect("write the configuration");
    let program = folder.path().join("p");
    fs::write(&program, format!("#!/bin/sh\n{script}\n")).expect("write the program");
    fs::set_permissions(&program, Permissions::from_mode(0o755)).expect("make it executable");
    folder
}

fn config(folder: &Path) -> String {
    folder.join("pghaul.toml").display().to_string()
}

/// The findings of `check --json` that none of the built-in checks make.
fn findings(outcome: &Outcome, checks: &[&str]) -> Vec<Value> {
    let answer: Value =
        serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}\n{outcome}"));
    let all = answer["check"]["findings"].as_array().expect("findings").clone();
    let own = |finding: &Value| checks.iter().any(|check| finding["check"] == *check);
    all.into_iter().filter(own).collect()
}

/// A webhook that keeps what it is told, for this many requests.
fn webhook(requests: usize) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let told = std::thread::spawn(move || {
        let mut bodies = Vec::new();
        for stream in listener.incoming().take(requests) {
            let mut stream = stream.expect("a request");
            let mut request = String::new();
            let mut buffer = [0; 4096];
            while !request.ends_with('}') {
                let length = stream.read(&mut buffer).expect("read the request");
                request.push_str(&String::from_utf8_lossy(&buffer[..length]));
            }
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            stream.write_all(answer).expect("answer");
            bodies.push(request.rsplit("\r\n").next().unwrap_or_default().to_owned());
        }
        bodies
    });
    (address, told)
}

#[test]
fn the_examples_of_the_documentation_do_what_they_say() {
    let pair = shared_pair(Kind::Ordinary);
    let (source, target) = (&pair.source, &pair.target);
    let database = pair.fresh_database("extended");
    source.psql(
        &database,
        "create table \"Book\" (id int primary key); insert into \"Book\" values (1)",
    );
    let stub = tempfile::tempdir().expect("a folder");
    let console = stub.path().join("console.log");
    // PgBouncer's console is a server of its own; what it is told is what counts here.
    let psql = format!(
        "#!/bin/sh\ncase \"$*\" in *pgbouncer*) for last; do :; done; echo \"$last\" >> {};; *) exec {} \"$@\";; esac\n",
        console.display(),
        which("psql").display()
    );
    fs::write(stub.path().join("psql"), psql).expect("write the stub");
    fs::set_permissions(stub.path().join("psql"), Permissions::from_mode(0o755)).expect("make it executable");
    let (address, told) = webhook(2);
    let path = std::env::join_paths(
        std::iter::once(stub.path().to_owned())
            .chain(which("vacuumdb").parent().map(Path::to_owned))
            .chain(std::env::split_paths(
                &std::env::var_os("PATH").unwrap_or_default(),
            )),
    );
    let migration = Migration::of(source, target, &database)
        .env("PGHAUL_CONFIG", &config(&examples()))
        .env("CHAT_WEBHOOK", &address)
        .env("PATH", path.expect("a PATH").to_str().expect("UTF-8"));

    let sql_checks = examples().join("sql-checks").display().to_string();
    let check = migration
        .with_options("check")
        .args(["--json", "--sql-checks", &sql_checks])
        .run();
    let found = findings(&check, &["no-upper-case", "naming-rule"]);
    let mut found: Vec<String> = found
        .iter()
        .map(|f| format!("{}: {}", f["kind"], f["subject"]["object"]["object"]))
        .collect();
    found.sort();
    let expected = [
        "\"capitals\": \"table public.\\\"Book\\\"\"",
        "\"not-snake-case\": \"table public.Book\"",
    ];
    assert_eq!(found, expected, "{check}");
    assert!(check.stdout.contains("RENAME TO book"), "{check}");

    migration.run().succeeded();
    let analyzed = "select count(*) from pg_stat_all_tables where relname = 'Book' and analyze_count > 0";
    pghaul_testkit::wait_until(
        "vacuumdb's statistics show",
        std::time::Duration::from_secs(10),
        || target.psql(&database, analyzed) == "1",
    );
    assert!(!console.exists(), "nothing is paused by a run");
    migration.remove().succeeded();
    // A removal that was killed may have left it paused: the next one begins with that.
    let quoted = format!("RESUME \"{database}\"\nPAUSE \"{database}\"\nRESUME \"{database}\"\n");
    assert_eq!(
        fs::read_to_string(&console).expect("the console was used"),
        quoted
    );
    compare::same(source, target, &database);
    let told = told.join().expect("the webhook");
    assert!(told[0].contains(&database) && told.len() == 2, "{told:?}");
    let coloured = |text: &String| text.contains("\\u001b");
    assert!(!told.iter().any(coloured), "colours are for terminals: {told:?}");
    assert_nothing_of_it_is_left(&migration, pair, &database);
}

/// A client program of the newest version that the tests have.
fn which(program: &str) -> PathBuf {
    let directories = pghaul_testkit::postgres::newest_programs();
    directories.expect("client programs").join(program)
}

/// The first block of code of a page in this language.
fn block(page: &str, language: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(page);
    let text = fs::read_to_string(path).expect("a page");
    let (_, rest) = text.split_once(&format!("```{language}\n")).expect("a block");
    let (block, _) = rest.split_once("```").expect("its end");
    block.to_owned()
}

#[test]
fn the_checks_of_the_page_work_as_they_stand_beside_the_journal() {
    let pair = &ClusterPair::start(Settings::new(), Settings::new());
    let database = pair.fresh_database("by_the_page");
    let schema = "create table \"Book\" (id int primary key); select lo_create(0)";
    pair.source.psql(&database, schema);
    let page = "how-to/add-a-check.md";
    let folder = configured(&block(page, "toml"), "");
    let program = folder.path().join("no-large-objects.sh");
    fs::write(&program, block(page, "sh")).expect("write the script");
    fs::set_permissions(&program, Permissions::from_mode(0o755)).expect("make it executable");
    fs::create_dir(folder.path().join("sql-checks")).expect("create the folder");
    fs::write(folder.path().join("sql-checks/case.sql"), block(page, "sql")).expect("write the check");
    let journal = folder.path().join("journal.db");
    // A password with everything that files of passwords and services, and conninfos, give a meaning.
    let (role, password) = (&database, "s:e c\\r'e\"t= ");
    let create = format!("create role {role} superuser login password $p${password}$p$");
    pair.source.psql("postgres", &create);
    let source = pair.source.conninfo_as(role, password, "postgres");
    let migration = Migration::between(&source, &pair.target.conninfo("postgres"))
        .options(["--database", &database])
        .env("PGHAUL_JOURNAL", journal.to_str().expect("UTF-8"));
    let check = migration.with_options("check").args(["--json"]).run();
    let found = findings(&check, &["no-upper-case", "no-large-objects"]);
    let mut messages: Vec<&str> = found.iter().filter_map(|f| f["message"].as_str()).collect();
    messages.sort_unstable();
    let expected = [
        "it has 1 large objects",
        "table public.Book has capitals in its name",
    ];
    assert_eq!(messages, expected, "{check}");
}

#[test]
fn a_check_in_sql_that_is_wrong_is_named_with_its_line() {
    let pair = shared_pair(Kind::Ordinary);
    let database = pair.fresh_database("sql_checks");
    pair.source.psql(
        &database,
        "create table t (id int primary key); create sequence s",
    );
    let migration = Migration::of(&pair.source, &pair.target, &database);
    let cases = [
        (
            "SELECT 1 FROM missing",
            "line 3: relation \"missing\" does not exist",
        ),
        (
            "SELECT 1 AS one FROM t",
            "`search_path` is empty: name each table with its schema",
        ),
        (
            "SELECT 1\n  AS one,\n  nowhere",
            "line 5: column \"nowhere\" does not exist",
        ),
        (
            "SELECT pg_sleep(600)",
            "line 3: the query takes longer than 900ms",
        ),
        (
            "SELECT 2 AS two",
            "line 1: {one} is no column of the query, which has two",
        ),
        ("SELECT 1 AS one; DROP TABLE t", "line 3: syntax error"),
        (
            "WITH d AS (DELETE FROM public.t RETURNING 1) SELECT 1 AS one FROM d",
            "line 3: WITH clause containing a data-modifying statement",
        ),
        (
            "SELECT nextval('public.s') AS one",
            "cannot execute nextval() in a read-only transaction",
        ),
        (
            "SELECT 1 AS one FROM generate_series(1, 1000)",
            "the query returns more than 100 rows",
        ),
    ];
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("own-rule.sql");
    let folder = folder.path().display().to_string();
    let check = || migration.with_options("check").args(["--sql-checks", &folder]);
    for (query, expected) in cases {
        let text = format!("-- message: row {{one}}\n-- timeout: 900ms\n{query};\n");
        fs::write(&file, text).expect("write the check");
        let outcome = check().args(["--json"]).run().failed_with(CHECK_FAILED);
        let found = findings(&outcome, &["own-rule"]);
        let says = |f: &Value| {
            let texts = [&f["message"], &f["hint"]];
            texts
                .iter()
                .any(|text| text.as_str().is_some_and(|text| text.contains(expected)))
        };
        assert!(found.iter().any(says), "{query}\n{outcome}");
    }
    assert_eq!(pair.source.psql(&database, "select count(*) from t"), "0");
    // The others are made all the same, and who knows better can go on.
    let second = Path::new(&folder).join("second-rule.sql");
    fs::write(&file, "-- message: m\nSELECT nowhere").expect("write the check");
    fs::write(&second, "-- message: found by the second\nSELECT 1").expect("write a check");
    let outcome = check().run().failed_with(CHECK_FAILED);
    assert!(
        outcome.stdout.contains("the check could not be made"),
        "{outcome}"
    );
    assert!(outcome.stdout.contains("found by the second"), "{outcome}");
    let accept = ["--accept", "own-rule", "--accept", "second-rule"];
    let accepted = check().args(accept).run();
    assert_ne!(accepted.status.code(), Some(CHECK_FAILED), "{accepted}");
    fs::remove_file(&second).expect("remove the check");
    fs::write(
        Path::new(&folder).join("second.sql"),
        "-- message: m\n-- name: own-rule\nSELECT 1",
    )
    .expect("write a check of the same name");
    let options = ["check", "--sql-checks", &folder];
    let refused = migration.command(&options).run().failed_with(USAGE);
    let expected =
        format!("second.sql, line 2: there is a check \"own-rule\" already ({folder}/own-rule.sql)");
    assert!(refused.stderr.contains(&expected), "{refused}");
}

#[test]
fn a_configuration_that_is_wrong_is_refused_before_anything() {
    let folder = configured("[[step]]\nname = \"a\"\ncomand = [\"./p\"]\n", "exit 1");
    let pair = shared_pair(Kind::Ordinary);
    let migration = Migration::of(&pair.source, &pair.target, "postgres");
    let refused = migration
        .with_options("run")
        .args(["--config", &config(folder.path())])
        .run();
    let refused = refused.failed_with(USAGE);
    assert!(
        refused
            .stderr
            .contains("line 3, column 1: unknown field `comand`"),
        "{refused}"
    );
    assert!(refused.stderr.contains("did you mean `command`?"), "{refused}");
    let valid = configured("[[step]]\nname = \"a\"\ncommand = [\"./p\"]\n", "exit 1");
    let file = valid.path().join("pghaul.toml");
    let check = ["config", "check", "--config", &config(valid.path())];
    migration.command(&check).run().succeeded();
    let program = valid.path().join("p");
    for (mistake, expected) in [
        (0o644, "is not executable: chmod +x"),
        (0o755, "end with carriage returns"),
    ] {
        fs::write(&program, "#!/bin/sh\r\nexit 1\r\n").expect("write the program");
        fs::set_permissions(&program, Permissions::from_mode(mistake)).expect("set its mode");
        let refused = migration.command(&check).run().failed_with(USAGE);
        assert!(refused.stderr.contains("line 3, column 11"), "{refused}");
        assert!(refused.stderr.contains(expected), "{refused}");
    }
    fs::set_permissions(&file, Permissions::from_mode(0o666)).expect("let everyone write");
    let refused = migration
        .with_options("check")
        .args(["--config", &config(valid.path())])
        .run();
    assert!(
        refused
            .failed_with(USAGE)
            .stderr
            .contains("can be written by everyone")
    );
}

/// Notes what it is asked and answers; the first run fails after a fact.
const RECORDER: &str = r#"
echo '{"type":"hello","protocol":1}'
read -r hello; read -r request
echo "$PGHAUL_REQUEST $PGHAUL_REASON" >> "$LOG"
case $PGHAUL_REQUEST in
    probe) echo '{"type":"done","state":"absent"}'; exit;;
    undo) echo '{"type":"done"}'; exit;;
esac
case $request in
    *'"facts":[]'*)
        echo '{"type":"fact","value":{"made":"a grant"}}'; read -r recorded
        echo '{"type":"error","message":"the first try","hint":"try again"}'; exit 1;;
esac
echo '{"type":"item","name":"one","value":1}'
echo '{"type":"done","output":{"rows":2}}'
"#;

#[test]
fn a_step_that_is_a_program_is_journaled_tried_again_and_told_why_it_is_undone() {
    let pair = shared_pair(Kind::Ordinary);
    let database = pair.fresh_database("stepped");
    pair.source.psql(&database, "create table t (id int primary key)");
    let text = "[[step]]\nname = \"grants\"\ncommand = [\"./p\"]\nafter = [\"schema\"]\nbefore = [\"post-data\"]\nprobe = true\n\
                undo_on = [\"abandoned\", \"completed\"]\n";
    let folder = configured(text, RECORDER);
    let log = folder.path().join("log");
    let migration = Migration::of(&pair.source, &pair.target, &database)
        .env("PGHAUL_CONFIG", &config(folder.path()))
        .env("LOG", log.to_str().expect("UTF-8"));
    let failed = migration.run();
    assert!(
        !failed.status.success() && failed.stderr.contains("the first try"),
        "{failed}"
    );
    assert!(failed.stderr.contains("try again"), "{failed}");

    // Another definition is reported; a program that lacks the step is refused, and nothing is journaled.
    let changed = text.replace("probe = true", "probe = true\ntimeout = \"10min\"");
    fs::write(folder.path().join("pghaul.toml"), changed).expect("change the configuration");
    let before = migration.events().len();
    let lacking = configured("", "");
    let refused = migration
        .with_options("run")
        .args(["--config", &config(lacking.path())])
        .run();
    let refused = refused.failed_with(OTHER_RELEASE);
    assert!(
        refused.stderr.contains("this program has no step grants"),
        "{refused}"
    );
    assert_eq!(migration.events().len(), before, "something was journaled");

    let run = migration.run().succeeded();
    assert!(
        run.stderr
            .contains("step grants is defined otherwise than when the plan"),
        "{run}"
    );
    let of_step: Vec<Value> = migration
        .events()
        .into_iter()
        .filter(|e| e["step"] == "grants")
        .collect();
    let kinds: Vec<&str> = of_step.iter().filter_map(|e| e["kind"].as_str()).collect();
    let expected = [
        "step_started",
        "step_recorded",
        "step_failed",
        "step_started",
        "item_finished",
        "step_finished",
    ];
    assert_eq!(kinds, expected);
    assert_eq!(of_step[5]["payload"]["output"], serde_json::json!({ "rows": 2 }));

    // A step that the configuration gains runs where it still can.
    let config_file = folder.path().join("pghaul.toml");
    let gained = "[[step]]\nname = \"late\"\ncommand = [\"./late\"]\nafter = [\"follow\"]\nagain = \"every-run\"\n\
                  on_failure = \"continue\"\n";
    fs::write(&config_file, format!("{text}{gained}")).expect("change the configuration");
    migration.run().succeeded();
    let late = |event: &Value| event["step"] == "late" && event["kind"] == "step_finished";
    assert!(migration.events().iter().any(late), "it was not asked");

    migration.remove().succeeded();
    let asked = fs::read_to_string(&log).expect("it was asked");
    assert_eq!(asked, "probe \nrun \nprobe \nrun \nundo completed\n");
    assert_nothing_of_it_is_left(&migration, pair, &database);

    // Given up before it has arrived.
    let other = pair.fresh_database("stepped");
    fs::remove_file(&log).expect("remove the log");
    let migration = Migration::of(&pair.source, &pair.target, &other)
        .env("PGHAUL_CONFIG", &config(folder.path()))
        .env("LOG", log.to_str().expect("UTF-8"));
    assert!(!migration.run().status.success());
    migration.command(&["remove", "--force"]).run().succeeded();
    assert_eq!(
        fs::read_to_string(&log).expect("it was asked"),
        "probe \nrun \nundo abandoned\n"
    );
}

#[test]
fn a_program_that_hangs_stops_nothing_but_what_it_must() {
    let pair = shared_pair(Kind::Ordinary);
    let database = pair.fresh_database("hung");
    pair.source.psql(&database, "create table t (id int primary key)");
    let text = "\
[[check]]
name = \"hung-check\"
command = [\"./p\"]
timeout = \"300ms\"
on_failure = \"warning\"
[[step]]
name = \"hung-step\"
command = [\"./p\"]
after = [\"post-data\"]
timeout = \"300ms\"
on_failure = \"continue\"
[[observer]]
name = \"hung-observer\"
command = [\"./p\"]
timeout = \"300ms\"
";
    let folder = configured(text, "trap '' TERM; while :; do sleep 600; done");
    let migration = Migration::of(&pair.source, &pair.target, &database)
        .options(["--method", "dump"])
        .env("PGHAUL_CONFIG", &config(folder.path()));
    let run = migration.run().succeeded();
    assert!(run.stderr.contains("takes longer than 300ms"), "{run}");
    compare::same(&pair.source, &pair.target, &database);
    let finished = migration
        .events()
        .into_iter()
        .find(|e| e["step"] == "hung-step" && e["kind"] == "step_finished");
    let output = &finished.expect("the step is finished")["payload"]["output"];
    assert!(
        output["failed"]
            .as_str()
            .is_some_and(|why| why.contains("takes longer")),
        "{output}"
    );
}
