//! Programs that hang, lie, crash, flood and fork: each ends as a failure that says so, in time, and leaves no process.

use super::{Done, Listener, Program};
use crate::connection::{ServerAccess, ServiceFile};
use crate::definition::Command;
use crate::protocol::{Answer, Request, Sent};
use pghaul_step::{Code, Failure};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

const HELLO: &str = r#"echo '{"type":"hello","protocol":1}'"#;
const DONE: &str = r#"echo '{"type":"done"}'"#;

const PASSWORD: &str = r"s3:cret'\x";

/// The password is in files that only this user reads, on Linux in memory, and in no variable.
const ONLY_HERE: &str = r#"
        if [ "$(uname)" = Linux ]; then
            for file in "$PGSERVICEFILE" "$(sed -n s/^passfile=//p "$PGSERVICEFILE")"; do
                [ "$(stat -L -c %a "$file")" = 600 ] || exit 7
                case $(readlink "$file") in /memfd:*) ;; *) exit 8;; esac
            done
        fi
        if env | grep cret; then exit 9; fi"#;

/// Counts what it is told.
#[derive(Default)]
struct Counter(usize);

impl Listener for Counter {
    async fn hear(&mut self, _: Answer) -> Result<bool, Failure> {
        self.0 += 1;
        Ok(true)
    }
}

/// The request to a shell script, and how many messages came before its end.
async fn told(script: &str, time: Duration) -> (Result<Done, Failure>, usize) {
    let command = Command(["sh", "-c", script].map(str::to_owned).to_vec());
    let environment = BTreeMap::from([("GREETING".to_owned(), "hello".to_owned())]);
    let program = Program {
        what: "step test".to_owned(),
        command: &command,
        environment: &environment,
        time,
    };
    let source = ServerAccess {
        side: "source",
        parameters: vec![
            ("host", "127.0.0.1".to_owned()),
            ("password", PASSWORD.to_owned()),
        ],
    };
    let files = ServiceFile::write(&[&source]).unwrap();
    let mut counter = Counter::default();
    let request = Request {
        name: "test".to_owned(),
        database: Some("shop".to_owned()),
        source: source.conninfo(),
        ..Request::default()
    };
    let answer = program
        .ask(&Sent::Run(&request), &request, &files, &mut counter)
        .await;
    (answer, counter.0)
}

#[tokio::test]
async fn a_program_is_told_the_request_and_answers() {
    let script = format!(
        r#"{HELLO}
        read -r hello; read -r request
        case $hello in *'"protocol":1'*) ;; *) exit 3;; esac
        case $request in *'"type":"run"'*"password='s3:cret"*) ;; *) exit 4;; esac
        echo '{{"type":"fact","value":7}}'
        read -r recorded
        [ "$recorded" = '{{"type":"recorded"}}' ] || exit 5
        echo '{{"type":"from-the-future","x":1}}'
        echo
        [ "$GREETING$PGHAUL_DATABASE$PGHAUL_REQUEST" = helloshoprun ] || exit 6
        {ONLY_HERE}
        echo '{{"type":"done","output":{{"tables":3}}}}'"#
    );
    let (answer, count) = told(&script, Duration::from_secs(20)).await;
    assert_eq!(answer.unwrap().output, serde_json::json!({ "tables": 3 }));
    assert_eq!(count, 1, "messages of other types are skipped");
}

#[tokio::test]
async fn misbehaviour_is_a_failure_that_says_so() {
    let cases = [
        ("exit 3".to_owned(), "ended without \"done\", with exit status: 3"),
        (
            format!("{HELLO}; setsid sleep 30 & exit 4"),
            "ended without \"done\", with exit status: 4",
        ),
        (HELLO.to_owned(), "ended without \"done\", with exit status: 0"),
        (
            format!("{HELLO}; kill -SEGV $$"),
            "ended without \"done\", with signal: 11",
        ),
        (
            format!("{HELLO}; {DONE}; exit 1"),
            "wrote \"done\" and ended with exit status: 1",
        ),
        (
            format!("{HELLO}; {DONE}; exec sleep 600"),
            "wrote \"done\" and did not end",
        ),
        (DONE.to_owned(), "did not begin with \"hello\""),
        (
            r#"echo '{"type":"hello","protocol":2}'"#.to_owned(),
            "speaks version 2 of the protocol; pghaul speaks 1",
        ),
        (
            format!("{HELLO}; echo not json"),
            "wrote a line that is no message: \"not json\"",
        ),
        (
            format!("{HELLO}; head -c 300 /dev/urandom; echo; exec sleep 600"),
            "wrote a line that is no message",
        ),
        (
            format!("{HELLO}; head -c 100000 /dev/zero"),
            "wrote a line of more than 65536 bytes",
        ),
        (
            format!(r#"{HELLO}; exec yes '{{"type":"fact","value":"again and again and again and again"}}'"#),
            "writes more than 1048576 bytes",
        ),
        (
            format!(r#"{HELLO}; echo '{{"type":"error","message":"no \u001b[31mroom"}}'; exit 1"#),
            "reports: no \\u001b[31mroom",
        ),
        (
            format!(r#"{HELLO}; echo '{{"type":"findings","message":"m"}}'; {DONE}"#),
            "wrote a message of the type \"findings\"; did you mean \"finding\"?",
        ),
        (
            format!(r#"{HELLO}; echo '{{"type":"finding","severity":"accepted","message":"m"}}'; {DONE}"#),
            "wrote a line that is no message",
        ),
        (
            format!("{HELLO}; exec >&-; exec sleep 600"),
            "closed its standard output without \"done\"",
        ),
    ];
    for (script, expected) in cases {
        let (answer, _) = told(&script, Duration::from_secs(20)).await;
        let failure = answer.expect_err(&script);
        assert_eq!(failure.code, Code::ToolFailed, "{script}: {failure:?}");
        assert!(failure.message.contains(expected), "{script}: {failure:?}");
    }
    let missing = Command(vec!["./there-is-none".to_owned()]);
    let program = Program {
        what: "check x".to_owned(),
        command: &missing,
        environment: &BTreeMap::new(),
        time: Duration::from_secs(1),
    };
    let files = ServiceFile::write(&[]).unwrap();
    let request = Request::default();
    let mut counter = Counter::default();
    let answer = program
        .ask(&Sent::Check(&request), &request, &files, &mut counter)
        .await;
    let failure = answer.unwrap_err();
    assert!(
        failure.message.contains("./there-is-none can't be started"),
        "{failure:?}"
    );
}

#[tokio::test]
async fn what_it_writes_to_standard_error_is_in_the_failure_and_may_be_a_flood() {
    let script = format!(
        "{HELLO}; head -c 30000000 /dev/zero | tr '\\0' x >&2; echo >&2; echo last words >&2; exit 1"
    );
    let (silent, _) = told("exit 1", Duration::from_secs(20)).await;
    assert_eq!(
        silent.unwrap_err().causes,
        ["it wrote nothing to its standard error"]
    );
    let (chatty, _) = told("echo debug", Duration::from_secs(20)).await;
    let hint = chatty.unwrap_err().hint;
    assert!(hint.is_some_and(|hint| hint.contains(">&2")));
    let (answer, _) = told(&script, Duration::from_secs(60)).await;
    let failure = answer.unwrap_err();
    assert_eq!(failure.causes.last().unwrap(), "last words", "{failure:?}");
    assert!(failure.causes.iter().all(|cause| cause.len() < 600));
}

#[tokio::test]
async fn one_that_hangs_is_terminated_with_everything_that_it_has_started() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("pids");
    // It ignores SIGTERM, and so does what it forks, which keeps its standard output open.
    let script = format!(
        "trap '' TERM; {HELLO}; sh -c 'trap \"\" TERM; echo $$ >> {0}; while :; do sleep 600; done' & \
         echo $$ >> {0}; while :; do sleep 600; done",
        file.display()
    );
    let begin = Instant::now();
    let (answer, _) = told(&script, Duration::from_millis(700)).await;
    let failure = answer.unwrap_err();
    assert!(failure.message.contains("takes longer than 700ms"), "{failure:?}");
    assert!(begin.elapsed() < Duration::from_secs(15));
    let pids = std::fs::read_to_string(&file).unwrap();
    assert_eq!(pids.lines().count(), 2, "{pids}");
    for pid in pids.lines() {
        wait_until_gone(pid).await;
    }
}

#[tokio::test]
async fn a_password_that_it_repeats_is_neither_shown_nor_journaled() {
    let repeat = format!(
        r#"{HELLO}; read -r hello; read -r request
        cat "$PGSERVICEFILE" $(sed -n s/^passfile=//p "$PGSERVICEFILE") >&2; printf '%s\n' "$request" >&2"#
    );
    let request = r#"request=$(printf '%s' "$request" | sed 's/"type":"run",//')"#;
    let scripts = [
        format!("{repeat}; exit 1"),
        format!(r#"{repeat}; {request}; printf '%s\n' "no message: $request"; exit 1"#),
        format!(r#"{repeat}; printf '%s\n' '{{"type":"error","message":"s3:cret'"'"'\\x"}}'; exit 1"#),
    ];
    for script in scripts {
        let (answer, _) = told(&script, Duration::from_secs(20)).await;
        let failure = format!("{:?}", answer.expect_err(&script));
        assert!(failure.contains("***") && !failure.contains("cret"), "{failure}");
    }
    let done =
        format!(r#"{repeat}; {request}; printf '{{"type":"done","output":{{"got":[%s]}}}}\n' "$request""#);
    let (answer, _) = told(&done, Duration::from_secs(20)).await;
    let output = answer.unwrap().output.to_string();
    assert!(output.contains("***") && !output.contains("cret"), "{output}");
}

#[tokio::test]
async fn what_it_leaves_in_the_background_ends_with_it() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("pid");
    let script = format!("{HELLO}; sleep 600 & echo $! > {}; {DONE}", file.display());
    let (answer, _) = told(&script, Duration::from_secs(20)).await;
    answer.unwrap();
    wait_until_gone(std::fs::read_to_string(&file).unwrap().trim()).await;
}

/// A process that nobody waits for may stay as a zombie until init reaps it.
async fn wait_until_gone(pid: &str) {
    let stat = Path::new("/proc").join(pid).join("stat");
    for _ in 0..200 {
        match std::fs::read_to_string(&stat) {
            Err(_) => return,
            Ok(stat) if stat.contains(") Z ") => return,
            Ok(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
    panic!("process {pid} still lives");
}
