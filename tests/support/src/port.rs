//! Ports that stay ours while a cluster is stopped and started again.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;

/// Below the range from which the kernel takes the ports of outgoing connections.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// A TCP port on 127.0.0.1. All test processes of a user respect each other's.
#[derive(Debug)]
pub(crate) struct Port {
    pub(crate) number: u16,
    /// Locked while the port is ours; the kernel unlocks it when the process ends.
    _lock: File,
}

impl Port {
    pub(crate) fn reserve() -> Self {
        let directory = locks();
        let start = u16::try_from(std::process::id() % u32::from(COUNT)).expect("fits");
        for offset in 0..COUNT {
            // A stride keeps processes with neighbouring ids apart; it shares no divisor with the count.
            let number =
                FIRST + u16::try_from((u32::from(start) * 97 + u32::from(offset)) % 12_000).expect("fits");
            let lock =
                File::create(directory.join(number.to_string())).expect("create a lock file of a port");
            if lock.try_lock().is_ok() && TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok() {
                return Self { number, _lock: lock };
            }
        }
        panic!("no port is free");
    }
}

fn locks() -> PathBuf {
    let user = rustix::process::getuid().as_raw();
    let directory = std::env::temp_dir().join(format!("pghaul-test-ports-{user}"));
    std::fs::create_dir_all(&directory).expect("create the directory of port locks");
    directory
}
