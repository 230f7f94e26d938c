//! Addresses and sockets.

use crate::conninfo::{Endpoint, Host, Keepalives};
use socket2::{SockRef, TcpKeepalive};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// What a connection goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl Address {
    /// The address without the port; that of this machine for a socket.
    pub(super) fn ip_text(&self) -> String {
        match self {
            Self::Tcp(address) => address.ip().to_string(),
            Self::Unix(_) => "127.0.0.1".to_owned(),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

/// How a TCP socket is set up.
#[derive(Debug, Clone, Default)]
pub(crate) struct SocketOptions {
    pub(crate) keepalives: Option<Keepalives>,
    pub(crate) tcp_user_timeout: Option<Duration>,
}

/// A TCP or a Unix-domain socket.
pub(crate) enum Wire {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// The addresses of an endpoint in the order of the resolver; a name may have several.
pub(crate) async fn addresses(endpoint: &Endpoint) -> io::Result<Vec<Address>> {
    let port = endpoint.port;
    match &endpoint.host {
        Host::Socket { directory } => {
            let path = directory.join(format!(".s.PGSQL.{port}"));
            // An abstract name begins with `@` for people and with zero for the kernel.
            let path = match path.to_str().and_then(|path| path.strip_prefix('@')) {
                Some(name) => PathBuf::from(format!("\0{name}")),
                None => path,
            };
            Ok(vec![Address::Unix(path)])
        }
        Host::Tcp {
            address: Some(address),
            ..
        } => Ok(vec![Address::Tcp(SocketAddr::new(*address, port))]),
        Host::Tcp { name, address: None } => {
            let name = name.as_deref().unwrap_or("localhost");
            let found: Vec<_> = tokio::net::lookup_host((name, port))
                .await?
                .map(Address::Tcp)
                .collect();
            if found.is_empty() {
                Err(io::ErrorKind::NotFound.into())
            } else {
                Ok(found)
            }
        }
    }
}

/// Opens a socket.
pub(crate) async fn open(address: &Address, options: &SocketOptions) -> io::Result<Wire> {
    match address {
        Address::Unix(path) => Ok(Wire::Unix(UnixStream::connect(path).await?)),
        Address::Tcp(address) => {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let socket = SockRef::from(&stream);
            if let Some(keepalives) = &options.keepalives {
                let settings = TcpKeepalive::new()
                    .with_time(keepalives.idle)
                    .with_interval(keepalives.interval)
                    .with_retries(keepalives.count);
                socket.set_tcp_keepalive(&settings)?;
            }
            #[cfg(target_os = "linux")]
            socket.set_tcp_user_timeout(options.tcp_user_timeout)?;
            Ok(Wire::Tcp(stream))
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Unix(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(context, buffer),
            Self::Unix(stream) => Pin::new(stream).poll_write(context, buffer),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Self::Unix(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
