use pghaul_testkit::{Pghaul, redact};
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

fn shell(script: &str) -> Pghaul {
    Pghaul::new().program("/bin/sh").args(["-c", script])
}

#[test]
fn the_environment_is_its_own() {
    let variables = shell("env").env("GIVEN", "yes").run().succeeded().stdout;
    let home = variables
        .lines()
        .find_map(|line| line.strip_prefix("HOME="))
        .expect("a home");
    assert!(home.contains("pghaul-test-"));
    assert!(variables.contains("GIVEN=yes\n"));
    assert!(!variables.contains("CARGO"));
    for line in variables
        .lines()
        .filter(|line| line.starts_with("PG") || line.starts_with("XDG"))
    {
        assert!(line.contains(home), "{line}");
    }
}

#[test]
fn a_home_can_be_used_again() {
    let first = shell("echo kept >file");
    let again = first.again().args(["-c", "cat file"]);
    first.run().succeeded();
    assert_eq!(again.run().succeeded().stdout, "kept\n");
}

#[test]
fn status_and_both_streams_are_told() {
    let outcome = shell("echo answer; echo rest >&2; exit 4").run().failed_with(4);
    let expected = "exit status: 4\n----- stdout -----\nanswer\n----- stderr -----\nrest\n\n";
    assert_eq!(redact(&outcome.to_string()), expected);
}

#[test]
fn lines_are_awaited_and_signals_arrive() {
    let script = "trap 'echo interrupted; exit 3' INT; echo ready >&2; while :; do sleep 0.05; done";
    let mut running = shell(script).spawn();
    assert_eq!(running.wait_for_line("rea"), "ready");
    running.interrupt();
    assert_eq!(
        running.wait(Duration::from_secs(10)).failed_with(3).stdout,
        "interrupted\n"
    );

    let mut running = shell(script).spawn();
    running.wait_for_line("ready");
    assert_eq!(running.kill9().status.signal(), Some(9));
}

#[test]
#[should_panic(expected = "pghaul took too long and was killed\n----- stdout -----\nstarted")]
fn a_run_that_hangs_fails_the_test() {
    shell("echo started; exec sleep 60")
        .time_limit(Duration::from_millis(300))
        .run();
}

#[test]
#[should_panic(expected = "pghaul never wrote \"something\"")]
fn a_line_that_never_comes_fails_the_test() {
    shell("echo other").spawn().wait_for_line("something");
}

#[test]
fn cargo_builds_the_binary() {
    let outcome = Pghaul::new().arg("--version").run();
    assert_eq!(outcome.status.signal(), None);
}
