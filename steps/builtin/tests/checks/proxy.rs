//! What may stand between us and a server: a pooler that drops settings, a load balancer, another machine.

#![expect(clippy::indexing_slicing, reason = "tests: a panic is the report")]

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

const SSL_REQUEST: u32 = 80_877_103;
const GSS_REQUEST: u32 = 80_877_104;
const VERSION_3: u32 = 196_608;

/// What a proxy does to connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Nothing: every byte is passed on.
    Plain,
    /// Takes `options` out of the start of a session, as poolers do that are told to ignore it.
    DropOptions,
}

/// Listens at `address` until the tests end, and passes connections on to the servers at `ports` in turn.
pub(crate) fn start(address: IpAddr, ports: Vec<u16>, manner: Manner) -> SocketAddr {
    let listener = TcpListener::bind((address, 0)).unwrap();
    let found_at = listener.local_addr().unwrap();
    thread::spawn(move || {
        let next = AtomicUsize::new(0);
        for client in listener.incoming().flatten() {
            let port = ports[next.fetch_add(1, Ordering::Relaxed) % ports.len()];
            thread::spawn(move || pass(client, port, manner));
        }
    });
    found_at
}

/// An address of this machine that is not the loopback's, if it has one.
pub(crate) fn other_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    // Nothing is sent: this only looks up which address would be used.
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}

/// An end of a connection may go away at any time.
fn pass(mut client: TcpStream, port: u16, manner: Manner) -> Option<()> {
    let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    if manner == Manner::DropOptions {
        let first = loop {
            let packet = read_packet(&mut client)?;
            match code(&packet) {
                SSL_REQUEST | GSS_REQUEST => client.write_all(b"N").ok()?,
                _ => break packet,
            }
        };
        server.write_all(&without_options(&first)).ok()?;
    }
    let (mut from_client, mut to_server) = (client.try_clone().ok()?, server.try_clone().ok()?);
    thread::spawn(move || {
        let _ = std::io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(std::net::Shutdown::Write);
    });
    std::io::copy(&mut server, &mut client).ok()?;
    client.shutdown(std::net::Shutdown::Both).ok()
}

fn read_packet(client: &mut TcpStream) -> Option<Vec<u8>> {
    let mut packet = vec![0; 4];
    client.read_exact(&mut packet).ok()?;
    let length = u32::from_be_bytes(packet[..4].try_into().ok()?) as usize;
    packet.resize(length, 0);
    client.read_exact(&mut packet[4..]).ok()?;
    Some(packet)
}

fn code(packet: &[u8]) -> u32 {
    u32::from_be_bytes(packet[4..8].try_into().unwrap())
}

/// A start-up packet is its length, the protocol's version, and names and values that end with a zero each.
fn without_options(packet: &[u8]) -> Vec<u8> {
    if code(packet) != VERSION_3 {
        return packet.to_vec();
    }
    let texts: Vec<&[u8]> = packet[8..].split(|byte| *byte == 0).collect();
    let mut kept = packet[4..8].to_vec();
    for pair in texts
        .chunks_exact(2)
        .filter(|pair| !pair[0].is_empty() && pair[0] != b"options")
    {
        for text in pair {
            kept.extend_from_slice(text);
            kept.push(0);
        }
    }
    kept.push(0);
    let length = u32::try_from(kept.len() + 4).unwrap();
    [length.to_be_bytes().to_vec(), kept].concat()
}
