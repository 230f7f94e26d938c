//! What a server, or the way to it, reported.

use crate::sqlstate;
use pghaul_core::{Code, Failure, Side};
use std::error::Error;
use std::fmt;
use std::io;
use tokio_postgres::error::{DbError, ErrorPosition, Severity};

/// A limit of the server's configuration is reached, such as that of replication slots.
const CONFIGURATION_LIMIT: &str = "53400";

/// A conversion between encodings, for one.
const NOT_SUPPORTED: &str = "0A000";

/// Where something was done: the side and, when it concerns one, the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The server.
    pub side: Side,
    /// The database on it.
    pub database: Option<String>,
}

/// An error of a server, or of the connection to it.
///
/// It holds no password and no value of a row: what the server tells about rows (DETAIL of constraint and data
/// errors, the line of a COPY) is left out. `Display` is the sentence `could not …: …` without the causes.
#[derive(Clone)]
pub struct PgError(Box<Inner>);

#[derive(Clone)]
struct Inner {
    code: Code,
    place: Option<Place>,
    operation: String,
    message: String,
    sqlstate: Option<String>,
    position: Option<u32>,
    detail: Option<String>,
    context: Option<String>,
    server_hint: Option<String>,
    own_hint: Option<String>,
    causes: Vec<String>,
}

/// Whether an error came up while connecting or in a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Connecting,
    Working,
}

impl PgError {
    /// An error of pghaul's own about a server.
    pub fn new(code: Code, place: &Place, operation: impl Into<String>, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            code,
            place: Some(place.clone()),
            operation: operation.into(),
            message: message.into(),
            sqlstate: None,
            position: None,
            detail: None,
            context: None,
            server_hint: None,
            own_hint: None,
            causes: Vec::new(),
        }))
    }

    /// What tokio-postgres reported in a session. For errors of a COPY stream, whose items are its own.
    pub fn from_driver(place: &Place, operation: impl Into<String>, error: &tokio_postgres::Error) -> Self {
        Self::classified(place, operation.into(), error, Phase::Working)
    }

    pub(crate) fn classified(
        place: &Place,
        operation: String,
        error: &tokio_postgres::Error,
        phase: Phase,
    ) -> Self {
        if let Some(db) = error.as_db_error() {
            return Self::from_server(place, operation, db, phase);
        }
        let chain = chain(error);
        let io = chain_io(error);
        let code = match (io, phase) {
            (Some(kind), Phase::Connecting) => io_code(kind),
            (Some(_), Phase::Working) => Code::ConnectionLost,
            (None, _) if error.is_closed() => Code::ConnectionLost,
            (None, Phase::Connecting) => Code::AuthenticationFailed,
            (None, Phase::Working) => Code::Bug,
        };
        let (message, causes) = match chain.split_first() {
            // "invalid configuration: password missing" is what a server that asks for one leads to.
            Some((_, [cause])) if cause == "password missing" => (
                "the server asks for a password and none was given".to_owned(),
                Vec::new(),
            ),
            Some((message, causes)) => (message.clone(), causes.to_vec()),
            None => (error.to_string(), Vec::new()),
        };
        let mut own = Self::new(code, place, operation, message);
        own.0.causes = causes;
        own
    }

    fn from_server(place: &Place, operation: String, db: &DbError, phase: Phase) -> Self {
        let state = db.code().code();
        let context = db.where_().and_then(context_without_values);
        let mut error = Self::new(
            classify(db, phase),
            place,
            operation,
            message_without_values(state, db.message(), context.is_some()),
        );
        error.0.sqlstate = Some(state.to_owned());
        error.0.position = match db.position() {
            Some(ErrorPosition::Original(position)) => Some(*position),
            Some(ErrorPosition::Internal { .. }) | None => None,
        };
        if !sqlstate::detail_shows_rows(state) {
            error.0.detail = db.detail().filter(|detail| !detail.is_empty()).map(str::to_owned);
        }
        error.0.context = context;
        error.0.server_hint = db.hint().filter(|hint| !hint.is_empty()).map(str::to_owned);
        if db.message().contains("unsupported startup parameter") {
            error.0.own_hint = Some(
                "this is a connection pooler such as PgBouncer; give the server's own address".to_owned(),
            );
        } else if state == CONFIGURATION_LIMIT {
            // Its own hint names the setting.
            error.0.own_hint = Some("make room for what the message names, then start again".to_owned());
        } else if db.message().contains("not currently accepting connections") {
            error.0.own_hint = Some("ALTER DATABASE … ALLOW_CONNECTIONS true, or leave it out".to_owned());
        } else if state == NOT_SUPPORTED && phase == Phase::Connecting {
            error.0.own_hint = Some(
                "pghaul's sessions use UTF8: leave the database out, and move it with pg_dump and pg_restore"
                    .to_owned(),
            );
        }
        error
    }

    /// A warning of the server that is an error to us.
    pub(crate) fn from_warning(place: &Place, operation: &str, warning: &DbError) -> Self {
        Self::from_server(place, operation.to_owned(), warning, Phase::Working)
    }

    /// What kind of failure it is.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The SQLSTATE, when a server reported the error.
    pub fn sqlstate(&self) -> Option<&str> {
        self.0.sqlstate.as_deref()
    }

    /// Where in the statement the server found the error: the number of a character, from 1.
    pub fn position(&self) -> Option<u32> {
        self.0.position
    }

    /// The sentence of the server or the driver alone.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The server's DETAIL, where it can't hold values of rows.
    pub fn detail(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    /// The server's HINT.
    pub fn server_hint(&self) -> Option<&str> {
        self.0.server_hint.as_deref()
    }

    /// Where in a COPY or a function it happened, up to the column, without the value.
    pub fn context(&self) -> Option<&str> {
        self.0.context.as_deref()
    }

    /// What was being done.
    pub fn operation(&self) -> &str {
        &self.0.operation
    }

    /// The server it concerns.
    pub fn side(&self) -> Option<Side> {
        self.0.place.as_ref().map(|place| place.side)
    }

    /// The database it concerns.
    pub fn database(&self) -> Option<&str> {
        self.0.place.as_ref().and_then(|place| place.database.as_deref())
    }

    /// The causes, outermost first.
    pub fn causes(&self) -> &[String] {
        &self.0.causes
    }

    /// What the user can do: pghaul's own hint for the code, then the server's.
    pub fn hint(&self) -> Option<String> {
        let own = self.0.own_hint.as_deref().or_else(|| sqlstate::hint(self.0.code));
        match (own, self.0.server_hint.as_deref()) {
            (Some(own), Some(server)) => Some(format!("{own}; the server says: {server}")),
            (own, server) => own.or(server).map(str::to_owned),
        }
    }

    /// Adds a cause below those already there.
    #[must_use]
    pub fn with_cause(mut self, cause: impl fmt::Display) -> Self {
        self.0.causes.push(cause.to_string());
        self
    }

    /// Says what the user can do instead of the hint for the code.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.own_hint = Some(hint.into());
        self
    }
}

impl fmt::Display for PgError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not {}: {}", self.0.operation, self.0.message)
    }
}

impl fmt::Debug for PgError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgError")
            .field("code", &self.0.code)
            .field("place", &self.0.place)
            .field("operation", &self.0.operation)
            .field("message", &self.0.message)
            .field("sqlstate", &self.0.sqlstate)
            .field("causes", &self.0.causes)
            .finish_non_exhaustive()
    }
}

impl Error for PgError {}

impl From<PgError> for Failure {
    fn from(error: PgError) -> Self {
        let hint = error.hint();
        let inner = *error.0;
        let mut failure = Self::new(inner.code, inner.message).with_operation(inner.operation);
        if let Some(place) = inner.place {
            failure.side = Some(place.side);
            failure.database = place.database;
        }
        failure.sqlstate = inner.sqlstate;
        failure.causes = inner
            .detail
            .into_iter()
            .chain(inner.context)
            .chain(inner.causes)
            .collect();
        failure.hint = hint;
        failure
    }
}

/// What the server's error means to us. In a session that goes on, one about a connection is about another connection: that of a
/// foreign server, of dblink, of a subscription to its publisher; or a function has raised it.
fn classify(db: &DbError, phase: Phase) -> Code {
    let state = db.code().code();
    let goes_on = phase == Phase::Working
        && !matches!(
            db.parsed_severity(),
            None | Some(Severity::Fatal | Severity::Panic)
        );
    if goes_on && sqlstate::ends_session(state) {
        return Code::ServerError;
    }
    sqlstate::classify(state, db.message())
}

/// A row of the source's catalogs that is not as its query says.
pub fn unexpected(error: tokio_postgres::Error) -> Failure {
    Failure::new(Code::Bug, "a catalog query returned something unexpected")
        .with_side(Side::Source)
        .with_cause(error)
        .with_hint("please report this with the version of the server")
}

/// An error and what it came from.
struct Sources<'a>(Option<&'a (dyn Error + 'static)>);

impl<'a> Iterator for Sources<'a> {
    type Item = &'a (dyn Error + 'static);

    fn next(&mut self) -> Option<Self::Item> {
        let error = self.0?;
        self.0 = error.source();
        Some(error)
    }
}

/// The texts of an error and its sources. tokio-postgres prints `db error` and keeps the rest in the source.
fn chain(error: &(dyn Error + 'static)) -> Vec<String> {
    Sources(Some(error)).map(ToString::to_string).collect()
}

fn chain_io(error: &(dyn Error + 'static)) -> Option<io::ErrorKind> {
    Sources(Some(error))
        .find_map(|error| error.downcast_ref::<io::Error>())
        .map(io::Error::kind)
}

/// The code of a failed attempt to reach a server.
pub(crate) fn io_code(kind: io::ErrorKind) -> Code {
    match kind {
        io::ErrorKind::TimedOut => Code::ConnectionTimedOut,
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe => Code::ConnectionLost,
        _ => Code::ConnectionRefused,
    }
}

/// Data errors quote the datum: `invalid input syntax for type integer: "abc"`. Invalid settings (22023) name the
/// setting, which a user needs, unless a COPY was reading rows.
fn message_without_values(state: &str, message: &str, in_rows: bool) -> String {
    let data = state.starts_with("22") && (state != "22023" || in_rows);
    match (message.find('"'), message.rfind('"')) {
        (Some(first), Some(last)) if data && first < last => {
            format!(
                "{}\"…\"{}",
                message.get(..first).unwrap_or(""),
                message.get(last + 1..).unwrap_or("")
            )
        }
        _ => message.to_owned(),
    }
}

/// `COPY z, line 2, column i: "abc"` up to the column; of other lines only those that name a function. A block is pghaul's, as is a function
/// with such a name.
fn context_without_values(context: &str) -> Option<String> {
    let lines: Vec<&str> = context
        .lines()
        .filter_map(|line| {
            if line.starts_with("COPY ") {
                line.split(": ").next()
            } else if let Some(function) = line.strip_prefix("SQL function ") {
                (!function.starts_with("\"pghaul_")).then_some(line)
            } else {
                let function = line.strip_prefix("PL/pgSQL function ")?;
                (!function.starts_with("inline_code_block ")).then_some(line)
            }
        })
        .collect();
    (!lines.is_empty()).then(|| lines.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_left_out() {
        let integer = "invalid input syntax for type integer: \"secret \"x\" here\"";
        assert_eq!(
            message_without_values("22P02", integer, false),
            "invalid input syntax for type integer: \"…\""
        );
        let option = "unrecognized parameter \"pg_attver\"";
        assert_eq!(message_without_values("22023", option, false), option);
        assert!(!message_without_values("22023", option, true).contains("attver"));
        let copy = "COPY z, line 2, column i: \"secret\"";
        assert_eq!(
            context_without_values(copy).as_deref(),
            Some("COPY z, line 2, column i")
        );
        assert_eq!(
            context_without_values("COPY z, line 3: \"a\tb\"").as_deref(),
            Some("COPY z, line 3")
        );
        assert_eq!(
            context_without_values("PL/pgSQL function inline_code_block line 16 at RAISE"),
            None
        );
        let of_sql = "SQL function \"also\" during inlining";
        assert_eq!(context_without_values(of_sql).as_deref(), Some(of_sql));
        assert_eq!(
            context_without_values("SQL function \"pghaul_run\" statement 1"),
            None
        );
        assert_eq!(
            context_without_values("SQL statement \"INSERT INTO t VALUES (5)\""),
            None
        );
    }
}
