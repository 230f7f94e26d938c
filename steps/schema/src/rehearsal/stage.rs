//! The session in the throwaway database, and everything that is tried in it.

use super::report::{Of, Report};
use super::sample::Sample;
use super::script::{OnTarget, Script, View, emptying};
use crate::archive::{Archive, Entry};
use crate::pieces::finds_nothing;
use crate::restore::is_built;
use crate::unsafe_checks;
use futures_util::SinkExt as _;
use libpgdump::ObjectType;
use pghaul_step::postgres::{HomeSettings, QualifiedName, ReadWrite, Session, Target, copy_text};
use pghaul_step::{Expressions, Failure, Home};
use std::collections::BTreeSet;
use std::pin::pin;

/// Who owns everything where the connecting role is a superuser: expressions of users then run with no more rights than those
/// of this role. Nobody can be a member of the first, and the second may do next to nothing.
pub(super) fn stand_in(target_version: u32) -> &'static str {
    match target_version {
        140_000.. => "pg_database_owner",
        _ => "pg_stat_scan_tables",
    }
}

/// A function is run as its owner only where it still says so: its owner could change that.
const AS_STAND_IN: &str = "WHERE (SELECT prosecdef FROM pg_catalog.pg_proc WHERE oid OPERATOR(pg_catalog.=) \
                           'pghaul.run_statement(int)'::pg_catalog.regprocedure)";

/// Names of statements mean what they say, whatever a function of a user has set in the session.
const SEARCH_PATH: &str = "SET search_path = '';\n";

/// So many entries, and tables with rows, go into one transaction.
const BATCH: usize = 100;
const TABLES: usize = 20;

const REHEARSE: &str = "rehearse the schema";

/// As a step restores it; nothing takes long with a few rows, and nothing has to outlive a crash.
const SESSION: &str = "SET statement_timeout = '10s'; SET synchronous_commit = off; SET check_function_bodies = off; \
                       SET xmloption = content;";

/// The session.
pub(super) struct Stage {
    session: Session<Target, ReadWrite>,
    home: Home,
    /// How many statements are stored in the database, to be run by the owner of everything.
    stored: usize,
    /// On which these are run.
    condition: &'static str,
    /// Whether the database is surely dumped.
    dumps: bool,
}

/// Something to try.
struct Piece<'a> {
    of: Of<'a>,
    statements: String,
}

impl Stage {
    /// Prepares the database.
    pub(super) async fn set_up(
        mut session: Session<Target, ReadWrite>,
        settings: HomeSettings,
        without_public: Option<&str>,
        target: &OnTarget<'_>,
    ) -> Result<Self, Failure> {
        if let Some(statement) = without_public {
            // As in a run, it stays where it belongs to somebody else.
            match session.doing("drop the schema public").batch(statement).await {
                Err(error) if error.sqlstate() == Some("42501") => {}
                outcome => outcome?,
            }
        }
        let mut statements = format!("{SESSION}\n{}", include_str!("run_statement.sql"));
        if let Some(role) = target.owner {
            statements.push_str(&include_str!("stand_in.sql").replace("stand_in;", &format!("{role};")));
        }
        session
            .doing("prepare the database of the rehearsal")
            .batch(&statements)
            .await?;
        let home = Home::within(settings, &mut session).await?;
        Ok(Self {
            session,
            home,
            stored: 0,
            condition: target.owner.map_or("", |_| AS_STAND_IN),
            dumps: target.dumps,
        })
    }

    /// Tries everything, in the order of a run.
    pub(super) async fn run(
        &mut self,
        script: &Script,
        samples: &[Sample],
        views: &[View],
        report: &mut Report,
    ) -> Result<(), Failure> {
        let (before, after) = script.entries();
        self.restore(script, &before, report).await?;
        self.insert(script, samples, report).await?;
        let (built, others): (Vec<&Entry>, Vec<&Entry>) = split(&script.archive, after);
        self.restore(script, &built, report).await?;
        self.add_checks(script, report).await?;
        let changing = script.archive.with_dependents(acts_on_changes);
        let (created, others): (Vec<&Entry>, Vec<&Entry>) = others
            .into_iter()
            .partition(|entry| !changing.contains(&entry.id));
        self.restore(script, &created, report).await?;
        self.refresh(script, views, report).await?;
        let (keys, others): (Vec<&Entry>, Vec<&Entry>) = others
            .into_iter()
            .partition(|entry| entry.kind == ObjectType::FkConstraint);
        for statement in emptying(&keys) {
            // Where that fails, so does the key, unless there are no rows.
            let call = self.store(&[statement.as_str()]).await?;
            self.send(Expressions::OfBuilds, &call.concat(), false).await?;
        }
        self.restore(script, &keys, report).await?;
        self.restore(script, &others, report).await
    }

    async fn restore(
        &mut self,
        script: &Script,
        entries: &[&Entry],
        report: &mut Report,
    ) -> Result<(), Failure> {
        let together = |a: &Entry, b: &Entry| {
            let extends = |entry: &Entry| entry.kind == ObjectType::Extension;
            !extends(a) && !extends(b) && a.may_hold_a_secret() == b.may_hold_a_secret()
        };
        for chunk in entries.chunk_by(|a, b| together(a, b)) {
            for batch in chunk.chunks(BATCH) {
                let mut pieces = Vec::with_capacity(batch.len());
                for entry in batch {
                    pieces.push(Piece {
                        of: Of::Entry(entry),
                        statements: script.statements(entry)?,
                    });
                }
                self.attempt(script, Expressions::OfBuilds, pieces, report)
                    .await?;
            }
        }
        Ok(())
    }

    async fn insert(
        &mut self,
        script: &Script,
        samples: &[Sample],
        report: &mut Report,
    ) -> Result<(), Failure> {
        let missing = report.missing(script);
        let there: Vec<&Sample> = samples
            .iter()
            .filter(|sample| !missing.has_table(&sample.table))
            .collect();
        for chunk in there.chunks(TABLES) {
            let inserts: Vec<&str> = chunk.iter().map(|sample| sample.insert.as_str()).collect();
            let calls = self.store(&inserts).await?;
            let pieces = chunk.iter().zip(calls).map(|(sample, statements)| Piece {
                of: Of::Rows {
                    table: &sample.table,
                    calls_functions: script.calls_functions(&sample.table),
                },
                statements,
            });
            self.attempt(script, Expressions::OfRows, pieces.collect(), report)
                .await?;
        }
        Ok(())
    }

    async fn add_checks(&mut self, script: &Script, report: &mut Report) -> Result<(), Failure> {
        let mut pieces = Vec::new();
        for check in script.checks.iter().filter(|check| check.own) {
            let (object, add, validate) = unsafe_checks::rehearsed(check)?;
            let validate = self.home.with_search_path(&validate)?;
            let calls = self.store(&[&(add + &validate)]).await?;
            pieces.push(Piece {
                of: Of::Check {
                    object,
                    calls_functions: script.check_calls_functions(check),
                },
                statements: calls.concat(),
            });
        }
        self.attempt(script, Expressions::OfBuilds, pieces, report).await
    }

    async fn refresh(&mut self, script: &Script, views: &[View], report: &mut Report) -> Result<(), Failure> {
        let missing = report.missing(script);
        for view in views {
            if script.keeps_out_view(view) || missing.has_view(view) {
                continue;
            }
            let name = QualifiedName::new(view.schema.as_str(), view.name.as_str())?;
            let piece = Piece {
                of: Of::View(format!("materialized view {}", name.short())),
                statements: format!("REFRESH MATERIALIZED VIEW {name};\n"),
            };
            let owner = view.owner.as_str();
            self.attempt(script, Expressions::OfView { owner }, vec![piece], report)
                .await?;
        }
        Ok(())
    }

    /// Stores statements that the owner of everything is to run. Returns the calls that do so.
    async fn store(&mut self, statements: &[&str]) -> Result<Vec<String>, Failure> {
        let mut rows = String::new();
        let mut calls = Vec::with_capacity(statements.len());
        for statement in statements {
            self.stored += 1;
            let place = self.stored;
            calls.push(format!(
                "SELECT pghaul.run_statement({place}) {};\n{SEARCH_PATH}",
                self.condition
            ));
            rows.push_str(&format!("{place}\t{}\n", copy_text(statement)));
        }
        let doing = self.session.doing("store statements of the rehearsal");
        let sink = doing.copy_in("COPY pghaul.statement FROM STDIN").await?;
        let mut sink = pin!(sink);
        let sent = async {
            sink.send(rows.into()).await?;
            sink.finish().await
        };
        sent.await.map_err(|error| doing.error(&error))?;
        Ok(calls)
    }

    /// Tries pieces together; where that fails, each half of them, until those are alone that the target refuses.
    async fn attempt(
        &mut self,
        script: &Script,
        expressions: Expressions<'_>,
        pieces: Vec<Piece<'_>>,
        report: &mut Report,
    ) -> Result<(), Failure> {
        let mut open = vec![pieces];
        while let Some(mut pieces) = open.pop() {
            pieces.retain(|piece| !report.keeps_out(&piece.of));
            let statements: String = pieces.iter().map(|piece| piece.statements.as_str()).collect();
            let failure = match pieces.is_empty() {
                true => None,
                false => {
                    let secret = pieces.iter().any(|piece| piece.of.may_hold_a_secret());
                    self.send(expressions, &statements, secret).await?
                }
            };
            match (failure, pieces.as_slice()) {
                (None, _) => {}
                (Some(failure), [only]) if self.is_found_at_home(only, &failure).await? => {}
                (Some(failure), [only]) => report.refuse(&script.archive, &only.of, &failure),
                (Some(_), _) => {
                    let second = pieces.split_off(pieces.len() / 2);
                    open.push(second);
                    open.push(pieces);
                }
            }
        }
        Ok(())
    }

    /// Whether an index or a constraint can be built whose functions find what they name under the `search_path` of the database, as in a run.
    async fn is_found_at_home(&mut self, piece: &Piece<'_>, failure: &Failure) -> Result<bool, Failure> {
        let Of::Entry(entry) = &piece.of else {
            return Ok(false);
        };
        let is_built = matches!(entry.kind, ObjectType::Index | ObjectType::Constraint);
        if !self.dumps || !is_built || !finds_nothing(failure) {
            return Ok(false);
        }
        let statements = self.home.with_search_path(&piece.statements)?;
        let refused = self.send(Expressions::OfBuilds, &statements, false).await?;
        Ok(refused.is_none())
    }

    /// Sends statements in a transaction, of which the server shows, logs and stores as little as it can be told to. Returns what it
    /// answers where it refuses them.
    async fn send(
        &mut self,
        expressions: Expressions<'_>,
        statements: &str,
        secret: bool,
    ) -> Result<Option<Failure>, Failure> {
        let transaction = self.session.transaction().await?;
        transaction.doing(REHEARSE).batch(SEARCH_PATH).await?;
        if !secret {
            transaction.quiet(REHEARSE).await?;
        }
        // No query of pghaul's runs under the search_path of the database.
        self.home.enter_plain(&transaction, expressions).await?;
        let sent = if secret {
            transaction.batch_secretly(REHEARSE, statements).await
        } else {
            transaction.doing(REHEARSE).batch(statements).await
        };
        if let Err(error) = sent {
            let failure = Failure::from(error);
            // Where the connection is lost, that is what has failed.
            return match transaction.rollback().await {
                Ok(()) if failure.sqlstate.is_some() => Ok(Some(failure)),
                _ => Err(failure),
            };
        }
        match transaction.commit().await {
            Err(error) if error.sqlstate().is_some() => Ok(Some(error.into())),
            other => {
                other?;
                Ok(None)
            }
        }
    }

    /// Ends the session: the database can be dropped then.
    pub(super) async fn close(self) {
        self.session.close().await;
    }
}

/// What is built from rows, and what comes after: it needs something else, or is needed by what is built last.
fn split<'a>(archive: &Archive, after: Vec<&'a Entry>) -> (Vec<&'a Entry>, Vec<&'a Entry>) {
    let others: BTreeSet<i32> = after
        .iter()
        .filter(|entry| !is_built(entry))
        .map(|entry| entry.id)
        .collect();
    let late = archive.with_dependents(|entry| others.contains(&entry.id));
    after.into_iter().partition(|entry| !late.contains(&entry.id))
}

/// Whether rows that are changed fire it, or it checks them.
fn acts_on_changes(entry: &Entry) -> bool {
    use ObjectType as T;
    matches!(
        entry.kind,
        T::FkConstraint | T::Trigger | T::Rule | T::Policy | T::RowSecurity
    )
}
