//! A TLS stream whose handshake is already done, in the shape that tokio-postgres wants.
//!
//! Doing the handshake ourselves tells TLS errors from those of the protocol, and lets the stream be wrapped.

use std::convert::Infallible;
use std::future::{Ready, ready};
use tokio_postgres::tls::{TlsConnect, TlsStream};

/// Gives out the stream that it holds instead of making one.
pub(super) struct Established<T>(pub(super) T);

impl<S, T: TlsStream + Unpin> TlsConnect<S> for Established<T> {
    type Stream = T;
    type Error = Infallible;
    type Future = Ready<Result<T, Infallible>>;

    fn connect(self, _: S) -> Self::Future {
        ready(Ok(self.0))
    }
}
