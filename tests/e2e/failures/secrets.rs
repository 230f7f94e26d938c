//! Passwords: nowhere but in the conninfos that they came in, and in the subscription.

use super::{SOURCE_PASSWORD, TARGET_PASSWORD, completes, database};
use crate::migration::Migration;
use pghaul_testkit::{Cluster, ClusterPair, Settings, leftovers};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// Every argument list on this machine while `work` goes on.
fn argument_lists(work: impl FnOnce()) -> BTreeSet<String> {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let sampler = scope.spawn(|| {
            let mut seen = BTreeSet::new();
            while !over.load(Ordering::Relaxed) {
                for entry in std::fs::read_dir("/proc").expect("read /proc").flatten() {
                    let list = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
                    seen.insert(String::from_utf8_lossy(&list).replace('\0', " "));
                }
                std::thread::sleep(std::time::Duration::from_millis(3));
            }
            seen
        });
        work();
        over.store(true, Ordering::Relaxed);
        sampler.join().expect("the sampler ended")
    })
}

fn files(directory: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(directory)
        .expect("read the directory")
        .flatten()
    {
        if entry.path().is_dir() {
            files(&entry.path(), found);
        } else {
            let content = std::fs::read(entry.path()).unwrap_or_default();
            found.push((
                entry.path().display().to_string(),
                String::from_utf8_lossy(&content).into_owned(),
            ));
        }
    }
}

#[test]
fn passwords_are_in_no_output_no_file_no_argument_list_and_no_log() {
    // As talkative as servers get; `mover` may not be postgres, who gets in without a password.
    let talkative = || {
        Settings::new()
            .set("log_statement", "all")
            .set("log_min_duration_statement", "0")
    };
    let pair = ClusterPair::start(talkative(), talkative());
    let mover = |cluster: &Cluster, password: &str| {
        cluster.psql(
            "postgres",
            "set log_statement = none; set log_min_duration_statement = -1; select 1",
        );
        let create = format!(
            "set log_statement = none; set log_min_duration_statement = -1;
             create role mover superuser login password '{password}'"
        );
        // The statement that sets the silence is logged alone: psql sends one after the other.
        cluster.psql("postgres", &create);
    };
    mover(&pair.source, SOURCE_PASSWORD);
    mover(&pair.target, TARGET_PASSWORD);
    let name = database(&pair, "secrets");
    let source = pair.source.conninfo_as("mover", SOURCE_PASSWORD, "postgres");
    let target = pair.target.conninfo_as("mover", TARGET_PASSWORD, "postgres");
    let migration = Migration::between(&source, &target).options(["--database", &name]);
    let mut said = Vec::new();
    let mut say = |outcome: pghaul_testkit::Outcome| {
        said.push(("output".to_owned(), outcome.to_string()));
        outcome
    };

    let lists = argument_lists(|| {
        // The target can't reach the source this way: CREATE SUBSCRIPTION fails, and is not logged.
        let wrong = format!("host=127.0.0.1 port=1 user=mover password={SOURCE_PASSWORD}");
        let failed = migration
            .with_options("run")
            .args(["-vv", "--method", "replication", "--source-from-target", &wrong])
            .run();
        assert!(!failed.status.success(), "{failed}");
        say(failed);
        let right = ["--source-from-target", &source];
        say(migration
            .with_options("run")
            .args(["-vv"])
            .args(right)
            .run()
            .succeeded());
        say(migration.command(&["status", "-vv"]).run().succeeded());
        say(migration.command(&["status", "--json"]).run().succeeded());
    });
    let (mut texts, state) = (Vec::new(), migration.command(&[]).home().join("state"));
    files(&state, &mut texts);
    assert!(!texts.is_empty(), "there is no journal");
    completes(&migration, &pair, &name);
    say(migration.command(&["history", "--json"]).run().succeeded());
    say(migration.command(&["history"]).run().succeeded());
    say(migration.command(&["remove", "-vv"]).run().succeeded());
    files(&state, &mut texts);
    assert_eq!(leftovers(&pair.source), [""; 0]);

    texts.extend(said);
    // What the test itself said is no leak.
    let ours = |list: &String| !list.contains("--source-from-target");
    texts.extend(
        lists
            .into_iter()
            .filter(ours)
            .map(|list| ("an argument list".to_owned(), list)),
    );
    for (of, cluster) in [("source", &pair.source), ("target", &pair.target)] {
        texts.push((format!("the {of}'s log"), cluster.log()));
    }
    for (place, text) in &texts {
        for secret in [SOURCE_PASSWORD, TARGET_PASSWORD] {
            let line = text.lines().find(|line| line.contains(secret));
            assert_eq!(line, None, "a password is in {place}");
        }
    }
}
