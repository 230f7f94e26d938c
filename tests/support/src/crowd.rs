//! So many sessions that a server has room for no more.

use crate::cluster::Cluster;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// The protocol's version 3.0, then the parameters, each ended by a zero byte, as all of them are.
const STARTUP: &[u8] = b"\0\x03\0\0user\0postgres\0database\0postgres\0application_name\0crowd\0\0";

/// Sessions of the superuser that do nothing but be there, until it is dropped.
#[derive(Debug)]
pub struct Crowd {
    sessions: Vec<TcpStream>,
}

impl Crowd {
    /// Comes in until nobody else can, also not a superuser.
    pub fn fill(cluster: &Cluster) -> Self {
        let sessions = std::iter::from_fn(|| enter(cluster.port())).collect();
        Self { sessions }
    }

    /// How many came in.
    pub fn size(&self) -> usize {
        self.sessions.len()
    }
}

/// A session, unless the server refuses.
fn enter(port: u16) -> Option<TcpStream> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    let length = u32::try_from(STARTUP.len() + 4).expect("fits");
    stream.write_all(&length.to_be_bytes()).ok()?;
    stream.write_all(STARTUP).ok()?;
    loop {
        let mut head = [0; 5];
        stream.read_exact(&mut head).ok()?;
        let [kind, length @ ..] = head;
        let length = usize::try_from(u32::from_be_bytes(length)).expect("fits");
        stream.read_exact(&mut vec![0; length.saturating_sub(4)]).ok()?;
        match kind {
            b'Z' => return Some(stream),
            b'E' => return None,
            _ => {}
        }
    }
}
