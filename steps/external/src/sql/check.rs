//! Runs the query of a check in SQL.

use super::SqlFile;
use super::header::wrong;
use crate::not_made::not_made;
use pghaul_step::postgres::{PgError, ReadOnly, Server, Session, SideMarker};
use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Cluster, Code, Concern, Database, DatabaseName, Failure, Finding,
    Severity, Side, Subject, async_trait, escaped, postgres,
};
use serde_json::{Map, Value};
use std::time::Duration;

/// The most findings of one check; one more reports that there are further rows.
const ROWS: usize = 100;

/// The most characters of a value of a row that a sentence or a fact keeps.
const LONGEST: usize = 300;

/// What the server is given beyond its own limit before the connection is closed.
const GRACE: Duration = Duration::from_secs(5);

const BEGIN: &str = "SELECT pg_catalog.row_to_json(finding)::pg_catalog.text FROM (\n";

/// A check of the servers as a whole.
pub struct SqlClusterCheck(pub(super) &'static SqlFile);

/// A check of each database.
pub struct SqlDatabaseCheck(pub(super) &'static SqlFile);

#[async_trait]
impl Check for SqlClusterCheck {
    type Scope = Cluster;

    fn descriptor(&self) -> CheckDescriptor {
        self.0.descriptor(&["connection"])
    }

    async fn examine(&self, ctx: &CheckContext<Cluster>) -> Result<Vec<Finding>, Failure> {
        let (source, target) = (ctx.source_server(), ctx.target_server());
        match self.0.side {
            Side::Source => self.0.found(source, source.resolved().database(), None).await,
            Side::Target => self.0.found(target, target.resolved().database(), None).await,
        }
    }
}

#[async_trait]
impl Check for SqlDatabaseCheck {
    type Scope = Database;

    fn descriptor(&self) -> CheckDescriptor {
        self.0.descriptor(&["database-connection"])
    }

    async fn examine(&self, ctx: &CheckContext<Database>) -> Result<Vec<Finding>, Failure> {
        let database = ctx.database();
        let (source, target) = (ctx.source_server(), ctx.target_server());
        match self.0.side {
            Side::Source => self.0.found(source, database.as_str(), Some(database)).await,
            // Before the first run, the target mostly has no such database.
            Side::Target if ctx.target_database().await?.is_none() => Ok(Vec::new()),
            Side::Target => {
                let name = ctx.target_name();
                self.0.found(target, name.as_str(), Some(database)).await
            }
        }
    }
}

impl SqlFile {
    fn descriptor(&'static self, after: &'static [&'static str]) -> CheckDescriptor {
        CheckDescriptor {
            name: &self.name,
            summary: &self.summary,
            after,
        }
    }

    /// What the query finds on a server, in the database `place`. A query that can't be run hides nothing of what other checks
    /// find.
    async fn found<S: SideMarker>(
        &self,
        server: &Server<S>,
        place: &str,
        database: Option<&DatabaseName>,
    ) -> Result<Vec<Finding>, Failure> {
        let rows = self.rows(server, place).await;
        match rows.and_then(|rows| self.findings(&rows, database)) {
            Err(failure) if failure.code.is_of_statement() => {
                Ok(vec![not_made(&self.name, database, Severity::Error, &failure)])
            }
            found => found,
        }
    }

    /// What the query returns, each row as an object. The session is the check's own, as it has a limit of time.
    async fn rows<S: SideMarker>(
        &self,
        server: &Server<S>,
        database: &str,
    ) -> Result<Vec<Map<String, Value>>, Failure> {
        let session: Session<S, ReadOnly> = server.connect(database).await?;
        let limit = format!("{}ms", self.timeout.as_millis());
        let set = "SELECT pg_catalog.set_config('statement_timeout', $1, false)";
        session
            .doing("limit the time of the query")
            .query(set, &[&limit])
            .await?;
        let statement = format!("{BEGIN}{}\n) AS finding LIMIT {}", self.query, ROWS + 1);
        let doing = session.doing("run the query of the check");
        let answer = tokio::time::timeout(self.timeout + GRACE, doing.query(&statement, &[])).await;
        let rows = match answer {
            Ok(rows) => rows.map_err(|error| self.explained(error))?,
            Err(_) => return Err(self.too_slow()),
        };
        session.close().await;
        let text = |row: &postgres::Row| row.try_get::<_, String>(0).map_err(postgres::error::unexpected);
        let parsed = |text: String| {
            serde_json::from_str(&text).map_err(|error| Failure::bug(format!("a row is no JSON: {error}")))
        };
        rows.iter().map(|row| text(row).and_then(parsed)).collect()
    }

    /// The server's error, with the line of the file that it is about.
    fn explained(&self, error: PgError) -> Failure {
        if error.sqlstate() == Some("57014") {
            return self.too_slow();
        }
        let before = u32::try_from(BEGIN.chars().count()).unwrap_or(u32::MAX);
        let within = error
            .position()
            .and_then(|position| position.checked_sub(before + 1));
        let line = within.map_or(self.query_line, |characters| {
            let characters = self.query.chars().take(characters as usize);
            self.query_line + characters.filter(|c| *c == '\n').count()
        });
        let message = error.message().to_owned();
        let hint = match error.sqlstate() {
            Some("42P01") => Some("`search_path` is empty: name each table with its schema"),
            Some("42601") => Some("the file holds one SELECT, which may begin with WITH, below its header"),
            Some(state) if state.starts_with("42") || state.starts_with("22") => {
                Some("correct the query in the file")
            }
            _ => None,
        };
        let failure = Failure::from(error);
        let hint = match (hint, failure.code) {
            (Some(hint), Code::ServerError) => Some(with_words_of_the_server(hint, failure.hint)),
            _ => failure.hint,
        };
        Failure {
            message: wrong(&self.path, line, message).message,
            hint,
            ..failure
        }
    }

    fn too_slow(&self) -> Failure {
        let limit = humantime::format_duration(self.timeout);
        let failure = wrong(
            &self.path,
            self.query_line,
            format!("the query takes longer than {limit}"),
        );
        Failure {
            code: Code::StatementCancelled,
            ..failure
        }
        .with_operation("run the query of the check")
        .with_hint("make the query faster, or raise \"timeout\" in the header of the file")
    }

    fn findings(
        &self,
        rows: &[Map<String, Value>],
        database: Option<&DatabaseName>,
    ) -> Result<Vec<Finding>, Failure> {
        let mut findings = Vec::new();
        for row in rows.iter().take(ROWS) {
            findings.push(self.finding(row, database)?);
        }
        if rows.len() > ROWS
            && let Some(first) = findings.first().cloned()
        {
            findings.push(Finding {
                subject: subject(database, None),
                kind: "more".to_owned(),
                facts: Value::Null,
                message: format!("the query returns more than {ROWS} rows"),
                ..first
            });
        }
        Ok(findings)
    }

    fn finding(&self, row: &Map<String, Value>, database: Option<&DatabaseName>) -> Result<Finding, Failure> {
        let filled = |template: &str| {
            fill(template, row).map_err(|column| {
                let columns: Vec<&str> = row.keys().map(String::as_str).collect();
                let message = format!(
                    "{{{column}}} is no column of the query, which has {}",
                    columns.join(", ")
                );
                wrong(&self.path, self.message_line, message)
            })
        };
        let facts = row.iter().map(|(column, value)| (column.clone(), bounded(value)));
        Ok(Finding {
            check: self.name.as_str().into(),
            severity: self.severity,
            concern: Concern::Migration,
            subject: subject(database, row.get("object").map(shown)),
            kind: self.kind.clone(),
            facts: Value::Object(facts.collect()),
            message: filled(&self.message)?,
            hint: self.hint.as_deref().map(filled).transpose()?,
        })
    }
}

/// The hint in place of pghaul's general one; the server's own hint stays at its end.
fn with_words_of_the_server(hint: &str, general: Option<String>) -> String {
    let general = general.unwrap_or_default();
    match general.split_once("; the server says: ") {
        Some((_, words)) => format!("{hint}; the server says: {words}"),
        None => hint.to_owned(),
    }
}

/// A column `object` names an object in the database.
fn subject(database: Option<&DatabaseName>, object: Option<String>) -> Subject {
    match (database.cloned(), object) {
        (None, _) => Subject::Cluster,
        (Some(database), None) => Subject::Database(database),
        (Some(database), Some(object)) => Subject::Object { database, object },
    }
}

/// The template with the values of the columns; the first column that the row lacks otherwise.
fn fill(template: &str, row: &Map<String, Value>) -> Result<String, String> {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((text, after)) = rest.split_once('{') {
        filled.push_str(text);
        let Some((column, after)) = after.split_once('}') else {
            filled.push('{');
            rest = after;
            continue;
        };
        let value = row.get(column.trim()).ok_or_else(|| column.trim().to_owned())?;
        filled.push_str(&shown(value));
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Null => "null".to_owned(),
        other => other.to_string(),
    };
    escaped(&cut(&text)).to_string()
}

fn bounded(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(cut(text)),
        Value::Array(_) | Value::Object(_) => Value::String(cut(&value.to_string())),
        other => other.clone(),
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
