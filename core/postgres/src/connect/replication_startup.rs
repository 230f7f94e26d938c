//! Adds `replication=database` to the start-up packet, which tokio-postgres can't.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsStream};

/// The parameter with its value, as the packet has them.
const PARAMETER: &[u8] = b"replication\0database\0";

/// A stream that rewrites the first packet that is written, when asked to.
pub(super) struct ReplicationStartup<S> {
    stream: S,
    /// The first packet is still to come.
    waiting: bool,
    pending: Vec<u8>,
    written: usize,
}

impl<S> ReplicationStartup<S> {
    /// Wraps a stream on which nothing but TLS was spoken yet.
    pub(super) fn new(stream: S, replication: bool) -> Self {
        Self {
            stream,
            waiting: replication,
            pending: Vec::new(),
            written: 0,
        }
    }
}

/// The packet with the parameter, if it is a whole start-up packet of protocol 3.0.
fn with_replication(packet: &[u8]) -> Option<Vec<u8>> {
    let (length, rest) = packet.split_first_chunk::<4>()?;
    let body = rest.strip_prefix(&[0, 3, 0, 0])?.strip_suffix(&[0])?;
    if usize::try_from(u32::from_be_bytes(*length)).ok()? != packet.len() {
        return None;
    }
    let length = u32::try_from(packet.len() + PARAMETER.len()).ok()?;
    Some(
        [
            &length.to_be_bytes(),
            [0, 3, 0, 0].as_slice(),
            body,
            PARAMETER,
            &[0],
        ]
        .concat(),
    )
}

impl<S: AsyncWrite + Unpin> ReplicationStartup<S> {
    fn drain(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.pending.get(self.written..).filter(|rest| !rest.is_empty()) {
            match ready!(Pin::new(&mut self.stream).poll_write(context, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.written += count,
            }
        }
        self.pending.clear();
        self.written = 0;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ReplicationStartup<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ReplicationStartup<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.drain(context))?;
        if self.waiting {
            // tokio-postgres writes the packet in one piece.
            self.pending = with_replication(buffer)
                .ok_or_else(|| io::Error::other("the start-up packet was not written in one piece"))?;
            self.waiting = false;
            let _rest_goes_out_with_the_next_write = self.drain(context)?;
            return Poll::Ready(Ok(buffer.len()));
        }
        Pin::new(&mut self.stream).poll_write(context, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.drain(context))?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.drain(context))?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl<S: TlsStream + Unpin> TlsStream for ReplicationStartup<S> {
    fn channel_binding(&self) -> ChannelBinding {
        self.stream.channel_binding()
    }
}

#[cfg(test)]
mod tests {
    use super::with_replication;

    #[test]
    fn only_a_whole_startup_packet_is_rewritten() {
        let packet = b"\0\0\0\x11\0\x03\0\0user\0me\0\0";
        let rewritten = with_replication(packet).unwrap();
        assert_eq!(
            rewritten,
            b"\0\0\0\x26\0\x03\0\0user\0me\0replication\0database\0\0"
        );
        assert_eq!(with_replication(&packet[..16]), None);
        assert_eq!(with_replication(b"\0\0\0\x08\x04\xd2\x16\x2f"), None);
    }
}
