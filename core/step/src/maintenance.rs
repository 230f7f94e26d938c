//! Sessions for looking at a server as a whole.

use pghaul_postgres::{PgError, Reader, Right, Server, Session, SideMarker, Writer};

/// A session in the database that the conninfo names: the one for looking at the server as a whole.
///
/// # Errors
/// When the server can't be reached.
pub async fn maintenance<S: SideMarker, R: Right>(server: &Server<S>) -> Result<Session<S, R>, PgError> {
    server.connect(server.resolved().database()).await
}

/// A pooled session in that database, to read in.
///
/// # Errors
/// When the server can't be reached.
pub async fn maintenance_for_reading<S: SideMarker>(server: &Server<S>) -> Result<Reader<S>, PgError> {
    server.reader(server.resolved().database()).await
}

/// A pooled session in that database, to write in.
///
/// # Errors
/// When the server can't be reached.
pub async fn maintenance_for_writing<S: SideMarker>(server: &Server<S>) -> Result<Writer<S>, PgError> {
    server.writer(server.resolved().database()).await
}
