//! Throwaway clusters go away.

use crate::cluster::{newest, settings};
use pghaul_postgres::local::{ClusterSettings, LocalCluster, Stop};
use rustix::process::{Pid, test_kill_process};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn pid(cluster: &LocalCluster) -> Pid {
    let file = std::fs::read_to_string(cluster.data_directory().join("postmaster.pid")).unwrap();
    Pid::from_raw(file.lines().next().unwrap().parse().unwrap()).unwrap()
}

#[test]
fn nothing_is_left_of_a_dropped_cluster() {
    let Some(binaries) = newest() else { return };
    let mut cluster = LocalCluster::create(&binaries, &settings()).unwrap();
    let first = pid(&cluster);
    cluster.stop(Stop::Immediate);
    assert!(test_kill_process(first).is_err());
    cluster.start().unwrap();
    let (second, directory) = (pid(&cluster), cluster.socket_directory().to_owned());
    drop(cluster);
    assert!(test_kill_process(second).is_err() && !directory.exists());
}

#[test]
fn a_cluster_that_cannot_start_says_why() {
    let Some(binaries) = newest() else { return };
    let error = LocalCluster::create(
        &binaries,
        &ClusterSettings::default().with("no_such_setting", "1"),
    );
    let error = error.unwrap_err().to_string();
    assert!(error.contains("no_such_setting"), "{error}");
}

/// Run in a process of its own by the test below, which kills it.
#[test]
#[ignore = "waits to be killed"]
fn victim() {
    let cluster = LocalCluster::create(&newest().unwrap(), &settings()).unwrap();
    println!(
        "\nvictim {} {}",
        pid(&cluster),
        cluster.socket_directory().display()
    );
    std::thread::sleep(Duration::from_secs(60));
}

#[test]
fn the_server_of_a_killed_process_stops() {
    if newest().is_none() || !Path::new("/usr/bin/setpriv").is_file() {
        println!("skipped: needs PostgreSQL and setpriv");
        return;
    }
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "local::victim", "--ignored", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok);
    let line = lines
        .into_iter()
        .find(|line| line.starts_with("victim "))
        .unwrap();
    let (pid, directory) = line.strip_prefix("victim ").unwrap().split_once(' ').unwrap();
    let (pid, directory) = (
        Pid::from_raw(pid.parse().unwrap()).unwrap(),
        PathBuf::from(directory),
    );
    child.kill().unwrap();
    child.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    let is_zombie = || {
        let stat =
            std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
        stat.contains(") Z ")
    };
    while test_kill_process(pid).is_ok() && !is_zombie() {
        assert!(Instant::now() < deadline, "{pid:?} is still there");
        std::thread::sleep(Duration::from_millis(20));
    }
    std::fs::remove_dir_all(directory).unwrap();
}
