//! Puts the rows of `COPY … TO STDOUT` together, before the driver sees them.
//!
//! The server sends a message for each row. The driver takes every message apart and hands it to another task, which
//! costs more than the row itself; and it holds every message whole, which may be a gigabyte. Between CopyOutResponse and
//! CopyDone, all CopyData messages become messages of one size here, since their borders mean nothing; how many the server
//! had sent is counted, since each was a row. All else passes as it is.
//!
//! Source: <https://www.postgresql.org/docs/current/protocol-message-formats.html>

use bytes::{Buf as _, BufMut as _, BytesMut};
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsStream};

/// A message of rows has this size, in bytes with its header; the last of a COPY may be smaller.
const TOGETHER: usize = 64 * 1024;

/// So many bytes are read at a time.
const READ: usize = 64 * 1024;

/// The type of a message, and its length, which counts itself but not the type.
const HEADER: usize = 5;

const COPY_DATA: u8 = b'd';
const COPY_DONE: u8 = b'c';
const COPY_OUT_RESPONSE: u8 = b'H';
const ERROR_RESPONSE: u8 = b'E';

/// How many CopyData messages the server had sent, for each finished `COPY … TO STDOUT` in turn.
#[derive(Debug, Default)]
pub(crate) struct RowCounts(Mutex<VecDeque<u64>>);

impl RowCounts {
    fn push(&self, count: u64) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.push_back(count);
    }

    /// The count of the oldest COPY that has not been asked for.
    pub(crate) fn pop(&self) -> Option<u64> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.pop_front()
    }
}

/// A stream from a server whose rows are put together.
pub(super) struct CopyRows<S> {
    stream: S,
    counts: Arc<RowCounts>,
    /// Read, but not looked at.
    unread: BytesMut,
    /// A CopyData message that grows, its header first; empty while there is none.
    growing: BytesMut,
    /// For the driver.
    ready: BytesMut,
    /// So many bytes of the current row are still to come.
    row: usize,
    /// So many bytes of the current message, which is no row, are still to come.
    passing: usize,
    /// Within a COPY, the messages so far.
    copying: Option<u64>,
}

impl<S> CopyRows<S> {
    /// Wraps a stream whose next byte is the first of a message.
    pub(super) fn new(stream: S, counts: Arc<RowCounts>) -> Self {
        Self {
            stream,
            counts,
            unread: BytesMut::new(),
            growing: BytesMut::new(),
            ready: BytesMut::new(),
            row: 0,
            passing: 0,
            copying: None,
        }
    }

    /// Looks at what was read, until there is something for the driver or nothing more to look at.
    fn look(&mut self) {
        while self.ready.is_empty() && !self.unread.is_empty() {
            if self.row > 0 {
                self.add_row();
            } else if self.passing > 0 {
                let length = self.passing.min(self.unread.len());
                self.ready = self.unread.split_to(length);
                self.passing -= length;
            } else {
                let Some((kind, length)) = header(&self.unread) else {
                    return;
                };
                match &mut self.copying {
                    Some(count) if kind == COPY_DATA => {
                        *count += 1;
                        self.row = length - HEADER;
                        self.unread.advance(HEADER);
                    }
                    // What was put together goes before a message that is not.
                    _ if !self.growing.is_empty() => self.finish_growing(),
                    _ => {
                        self.note(kind);
                        self.passing = length;
                    }
                }
            }
        }
    }

    /// Moves bytes of a row into the message that grows, as far as there is room.
    fn add_row(&mut self) {
        if self.growing.is_empty() {
            self.growing.reserve(TOGETHER);
            self.growing.put_bytes(0, HEADER);
        }
        let room = TOGETHER - self.growing.len();
        let length = self.row.min(self.unread.len()).min(room);
        self.growing.put(self.unread.split_to(length));
        self.row -= length;
        if length == room {
            self.finish_growing();
        }
    }

    fn finish_growing(&mut self) {
        let length = u32::try_from(self.growing.len().saturating_sub(1)).unwrap_or(u32::MAX);
        if let Some((kind, rest)) = self.growing.split_first_mut()
            && let Some(place) = rest.first_chunk_mut()
        {
            *kind = COPY_DATA;
            *place = length.to_be_bytes();
        }
        self.ready = self.growing.split();
    }

    /// Where a COPY begins and ends.
    fn note(&mut self, kind: u8) {
        match kind {
            COPY_OUT_RESPONSE => self.copying = Some(0),
            COPY_DONE => {
                if let Some(count) = self.copying.take() {
                    self.counts.push(count);
                }
            }
            ERROR_RESPONSE => self.copying = None,
            _ => {}
        }
    }
}

/// The type of the first message and its length with its header, if that much is there.
fn header(bytes: &BytesMut) -> Option<(u8, usize)> {
    let (kind, rest) = bytes.split_first()?;
    let length = u32::from_be_bytes(*rest.first_chunk()?);
    // A length that makes no sense is the driver's to refuse.
    Some((*kind, usize::try_from(length).ok()?.saturating_add(1).max(HEADER)))
}

impl<S: AsyncRead + Unpin> AsyncRead for CopyRows<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            this.look();
            if !this.ready.is_empty() {
                let length = this.ready.len().min(buffer.remaining());
                buffer.put_slice(&this.ready.split_to(length));
                return Poll::Ready(Ok(()));
            }
            this.unread.reserve(READ);
            let read = tokio_util::io::poll_read_buf(Pin::new(&mut this.stream), context, &mut this.unread);
            if ready!(read)? == 0 {
                // The connection is broken: the driver gets to see what there is.
                if this.growing.is_empty() {
                    this.ready = this.unread.split();
                } else {
                    this.finish_growing();
                }
                if this.ready.is_empty() {
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for CopyRows<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl<S: TlsStream + Unpin> TlsStream for CopyRows<S> {
    fn channel_binding(&self) -> ChannelBinding {
        self.stream.channel_binding()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tokio::io::AsyncReadExt as _;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap();
        [&[kind], length.to_be_bytes().as_slice(), body].concat()
    }

    /// What arrives behind the stream, read in pieces, when the server's bytes come in other pieces.
    async fn through(sent: &[u8], piece: usize, counts: &Arc<RowCounts>) -> Vec<u8> {
        let pieces: Vec<io::Result<Vec<u8>>> = sent.chunks(piece).map(|piece| Ok(piece.to_vec())).collect();
        let reader = tokio_util::io::StreamReader::new(futures_util::stream::iter(
            pieces.into_iter().map(|piece| piece.map(bytes::Bytes::from)),
        ));
        let mut rows = CopyRows::new(reader, Arc::clone(counts));
        let mut received = Vec::new();
        rows.read_to_end(&mut received).await.unwrap();
        received
    }

    /// The bodies of CopyData put together, and all other messages.
    fn taken_apart(mut bytes: &[u8]) -> (Vec<u8>, Vec<Vec<u8>>, usize) {
        let (mut rows, mut others, mut messages) = (Vec::new(), Vec::new(), 0);
        while !bytes.is_empty() {
            let length = 1 + usize::try_from(u32::from_be_bytes(bytes[1..5].try_into().unwrap())).unwrap();
            let (message, rest) = bytes.split_at(length);
            if message[0] == COPY_DATA {
                rows.extend_from_slice(&message[5..]);
                messages += 1;
            } else {
                others.push(message.to_vec());
            }
            bytes = rest;
        }
        (rows, others, messages)
    }

    #[tokio::test]
    async fn many_rows_become_few_messages_and_are_counted() {
        let row = message(COPY_DATA, &[7; 100]);
        let sent = [
            message(COPY_OUT_RESPONSE, &[0, 0, 0]),
            row.repeat(2000),
            message(COPY_DONE, b""),
            message(b'C', b"COPY 2000\0"),
        ]
        .concat();
        let counts = Arc::default();
        let (rows, others, messages) = taken_apart(&through(&sent, 8192, &counts).await);
        assert_eq!(rows, vec![7; 200_000]);
        assert_eq!(others.len(), 3);
        assert!(messages <= 4, "{messages}");
        assert_eq!((counts.pop(), counts.pop()), (Some(2000), None));
    }

    #[tokio::test]
    async fn a_copy_that_fails_is_not_counted() {
        let sent = [
            message(COPY_OUT_RESPONSE, &[0, 0, 0]),
            message(COPY_DATA, b"row"),
            message(ERROR_RESPONSE, b"SERROR\0\0"),
        ]
        .concat();
        let counts = Arc::default();
        let received = through(&sent, 3, &counts).await;
        assert_eq!(received, sent);
        assert_eq!(counts.pop(), None);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_wherever_it_is_cut(
            copies in prop::collection::vec(prop::collection::vec(0usize..200_000, 0..12), 1..4),
            piece in 1usize..70_000,
        ) {
            let mut sent = message(b'R', &[0; 4]);
            let mut all = Vec::new();
            for (number, copy) in copies.iter().enumerate() {
                sent.extend(message(COPY_OUT_RESPONSE, &[0, 0, 0]));
                for length in copy {
                    let row = vec![u8::try_from(number + length % 7).unwrap(); *length];
                    sent.extend(message(COPY_DATA, &row));
                    all.extend(row);
                }
                sent.extend(message(COPY_DONE, b""));
            }
            let counts = Arc::default();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let received = runtime.block_on(through(&sent, piece, &counts));
            let (rows, others, _) = taken_apart(&received);
            prop_assert!(rows == all);
            prop_assert_eq!(others.len(), 1 + 2 * copies.len());
            for copy in &copies {
                prop_assert_eq!(counts.pop(), Some(copy.len() as u64));
            }
        }
    }
}
