//! A TCP proxy between two parties that can fail in every way in which a network can.
//!
//! Each connection goes its own way through it, on threads of its own. What is wrong is set for all connections, also those that
//! are open: [`Proxy::set`]; what happens only once is a method. Dropped, it closes everything.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often a thread looks whether something has changed.
const TICK: Duration = Duration::from_millis(20);

/// How much is passed on at once; so little that a slow way is slow evenly.
const CHUNK: usize = 16 * 1024;

/// What the way does to the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Way {
    /// Passes them on.
    #[default]
    Open,
    /// Keeps connections open and passes nothing on: a cable that was pulled.
    Stalled,
    /// Passes on this many bytes a second, each way of each connection.
    Slow(u64),
    /// Accepts connections and ends them at once.
    Refusing,
    /// Passes on what the client sends, and nothing of what the server answers: half-open.
    Deaf,
}

/// A proxy in front of one server.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    way: Mutex<Way>,
    target: Mutex<Option<SocketAddr>>,
    ended: AtomicBool,
    /// Bytes that have passed, both ways, over all connections.
    passed: AtomicU64,
    /// Connections are cut when so many have passed; 0 is never.
    cut_at: AtomicU64,
    accepted: AtomicU64,
    open: Mutex<Vec<Connection>>,
}

/// Both sides of an open connection.
#[derive(Debug)]
struct Connection {
    streams: [TcpStream; 2],
    /// Set when it is to end with a reset: then nobody may say goodbye.
    reset: Arc<AtomicBool>,
}

impl Connection {
    fn cut(&self) {
        for stream in &self.streams {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Proxy {
    /// In front of a port of this machine.
    pub fn before(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let own = listener.local_addr().expect("its address").port();
        listener
            .set_nonblocking(true)
            .expect("a listener that does not block");
        let shared = Arc::new(Shared::default());
        *locked(&shared.target) = Some(SocketAddr::from(([127, 0, 0, 1], port)));
        let of_thread = Arc::clone(&shared);
        let acceptor = std::thread::spawn(move || of_thread.accept(&listener));
        Self {
            port: own,
            shared,
            acceptor: Some(acceptor),
        }
    }

    /// Its own port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on, for open connections too.
    pub fn set(&self, way: Way) {
        *locked(&self.shared.way) = way;
    }

    /// Everything passes again, and no cut is due any more.
    pub fn mend(&self) {
        self.set(Way::Open);
        self.shared.cut_at.store(0, Ordering::SeqCst);
    }

    /// Leads new connections to another port: the server was restarted there.
    pub fn lead_to(&self, port: u16) {
        *locked(&self.shared.target) = Some(SocketAddr::from(([127, 0, 0, 1], port)));
    }

    /// Ends every open connection now. Both sides see an end of the stream.
    pub fn cut(&self) {
        self.shared.cut();
    }

    /// Ends every open connection with a reset, as a machine does that knows nothing of it.
    pub fn reset(&self) {
        for connection in locked(&self.shared.open).drain(..) {
            for stream in &connection.streams {
                // A socket that is closed without any time to linger sends a reset.
                let set = rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO));
                set.expect("a socket takes a linger time");
            }
            connection.reset.store(true, Ordering::SeqCst);
        }
    }

    /// Ends all connections once so many more bytes have passed, then goes on as before.
    pub fn cut_after(&self, bytes: u64) {
        let at = self.passed() + bytes.max(1);
        self.shared.cut_at.store(at, Ordering::SeqCst);
    }

    /// Bytes that have passed, both ways, over all connections.
    pub fn passed(&self) -> u64 {
        self.shared.passed.load(Ordering::SeqCst)
    }

    /// How many connections were accepted so far.
    pub fn accepted(&self) -> u64 {
        self.shared.accepted.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        self.cut();
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

impl Shared {
    fn way(&self) -> Way {
        *locked(&self.way)
    }

    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }

    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        while !self.has_ended() {
            match listener.accept() {
                Ok((client, _)) => self.begin(client),
                Err(_) => std::thread::sleep(TICK),
            }
        }
    }

    fn begin(self: &Arc<Self>, client: TcpStream) {
        self.accepted.fetch_add(1, Ordering::SeqCst);
        let target = *locked(&self.target);
        if self.way() == Way::Refusing {
            return;
        }
        let Some(Ok(server)) = target.map(TcpStream::connect) else {
            return;
        };
        for stream in [&client, &server] {
            stream.set_nonblocking(false).expect("a stream that blocks");
            stream.set_read_timeout(Some(TICK)).expect("a time limit");
            let _ = stream.set_nodelay(true);
        }
        let twin = |stream: &TcpStream| stream.try_clone().expect("a second handle");
        let reset = Arc::new(AtomicBool::new(false));
        locked(&self.open).push(Connection {
            streams: [twin(&client), twin(&server)],
            reset: Arc::clone(&reset),
        });
        for (from, to, answers) in [(twin(&client), twin(&server), false), (server, client, true)] {
            let (shared, reset) = (Arc::clone(self), Arc::clone(&reset));
            std::thread::spawn(move || {
                shared.pass(&from, &to, answers, &reset);
                if !reset.load(Ordering::SeqCst) {
                    let _ = to.shutdown(Shutdown::Both);
                    let _ = from.shutdown(Shutdown::Both);
                }
                shared.forget(&reset);
            });
        }
    }

    /// Lets go of a connection that has ended: its handles are not to be held until the proxy ends.
    fn forget(&self, reset: &Arc<AtomicBool>) {
        locked(&self.open).retain(|connection| !Arc::ptr_eq(&connection.reset, reset));
    }

    /// Moves bytes one way until one side ends.
    fn pass(&self, mut from: &TcpStream, to: &TcpStream, answers: bool, reset: &AtomicBool) {
        let mut chunk = [0; CHUNK];
        let goes_on = || !self.has_ended() && !reset.load(Ordering::SeqCst);
        while goes_on() {
            if self.is_blocked(answers) {
                std::thread::sleep(TICK);
                continue;
            }
            let read = match from.read(&mut chunk) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
                Err(_) => break,
            };
            let mut rest = chunk.get(..read).unwrap_or_default();
            // The way may have changed since the thread began to wait for bytes.
            while !rest.is_empty() && goes_on() {
                match self.forward(rest, to, answers) {
                    Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                    Err(_) => return,
                }
            }
        }
    }

    fn is_blocked(&self, answers: bool) -> bool {
        let way = self.way();
        way == Way::Stalled || (way == Way::Deaf && answers)
    }

    /// Passes on as many bytes as the way lets through just now.
    fn forward(&self, bytes: &[u8], mut to: &TcpStream, answers: bool) -> std::io::Result<usize> {
        if self.is_blocked(answers) {
            std::thread::sleep(TICK);
            return Ok(0);
        }
        let (most, pause) = match self.way() {
            Way::Slow(per_second) => (usize::try_from(per_second / 20).unwrap_or(CHUNK).max(1), 50),
            _ => (CHUNK, 0),
        };
        let piece = bytes.get(..most).unwrap_or(bytes);
        to.write_all(piece)?;
        self.count(piece.len());
        std::thread::sleep(Duration::from_millis(pause));
        Ok(piece.len())
    }

    fn cut(&self) {
        for connection in locked(&self.open).drain(..) {
            connection.cut();
        }
    }

    fn count(&self, bytes: usize) {
        let bytes = u64::try_from(bytes).expect("fits");
        let passed = self.passed.fetch_add(bytes, Ordering::SeqCst) + bytes;
        let at = self.cut_at.load(Ordering::SeqCst);
        let due = at > 0 && passed >= at;
        // Of all threads that see it, one does it.
        if due
            && self
                .cut_at
                .compare_exchange(at, 0, Ordering::SeqCst, Ordering::SeqCst)
                .is_ok()
        {
            self.cut();
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    /// A server that answers every byte with itself.
    fn echo() -> u16 {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(move || std::io::copy(&mut &stream, &mut &stream));
            }
        });
        port
    }

    fn through(proxy: &Proxy) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", proxy.port())).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        stream
    }

    fn echoed(mut stream: &TcpStream, bytes: usize) -> std::io::Result<usize> {
        stream.write_all(&vec![7; bytes])?;
        let mut answer = vec![0; bytes];
        stream.read_exact(&mut answer).map(|()| bytes)
    }

    #[test]
    fn it_passes_on_and_cuts_where_it_is_told() {
        let proxy = Proxy::before(echo());
        let stream = through(&proxy);
        assert_eq!(echoed(&stream, 40_000).unwrap(), 40_000);
        // Bytes are counted once they are written, so the client may have the last of them a moment before.
        crate::wait_until("all bytes are counted", Duration::from_secs(10), || {
            proxy.passed() == 80_000
        });
        assert_eq!(proxy.accepted(), 1);
        proxy.cut_after(10_000);
        assert!(echoed(&stream, 40_000).is_err());
        assert_eq!(
            echoed(&through(&proxy), 5).unwrap(),
            5,
            "it goes on after the cut"
        );
        proxy.cut_after(10_000);
        proxy.mend();
        assert_eq!(echoed(&through(&proxy), 40_000).unwrap(), 40_000);
    }

    #[test]
    fn it_lets_go_of_what_has_ended() {
        let proxy = Proxy::before(echo());
        for _ in 0..3 {
            assert_eq!(echoed(&through(&proxy), 1).unwrap(), 1);
        }
        crate::wait_until("no connection is held", Duration::from_secs(10), || {
            locked(&proxy.shared.open).is_empty()
        });
    }

    #[test]
    fn a_way_that_fails_fails_as_its_name_says() {
        let proxy = Proxy::before(echo());
        let stream = through(&proxy);
        for way in [Way::Stalled, Way::Deaf] {
            proxy.set(way);
            let silent = echoed(&stream, 1).unwrap_err();
            assert!(
                matches!(silent.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
                "{way:?}"
            );
            proxy.set(Way::Open);
            assert_eq!(
                (&stream).read(&mut [0]).unwrap(),
                1,
                "{way:?}: the byte comes later"
            );
        }
        proxy.set(Way::Slow(20_000));
        let begun = Instant::now();
        assert_eq!(echoed(&stream, 4_000).unwrap(), 4_000);
        assert!(
            begun.elapsed() > Duration::from_millis(150),
            "{:?}",
            begun.elapsed()
        );
        proxy.set(Way::Refusing);
        assert!(echoed(&through(&proxy), 1).is_err());
    }

    #[test]
    fn a_reset_is_a_reset_and_a_cut_an_end() {
        let proxy = Proxy::before(echo());
        let ended = through(&proxy);
        echoed(&ended, 1).unwrap();
        proxy.cut();
        assert_eq!((&ended).read(&mut [0]).unwrap(), 0);
        let reset = through(&proxy);
        echoed(&reset, 1).unwrap();
        proxy.reset();
        assert_eq!(
            (&reset).read(&mut [0]).unwrap_err().kind(),
            ErrorKind::ConnectionReset
        );
    }
}
