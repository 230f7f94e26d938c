//! Tries whether the target's server reaches the source: `CREATE SUBSCRIPTION` in a transaction that is rolled back.
//!
//! Connected, but without a slot and not enabled, the statement does just one thing outside of its transaction:
//! it opens a replication connection to the source and asks for publications. That there is none is a warning at
//! most. It works so on PostgreSQL 10 to 18, and needs neither a publication nor a slot.
//!
//! The statement holds a password, which must not get into a log, an error or a finding.

use crate::aiven_extras::AivenExtras;
use pghaul_step::check::Secret;
use pghaul_step::postgres::conninfo::escaped_value;
use pghaul_step::postgres::{ConnInfo, PgError, Rehearsal, Rehearsed, Session, Target, literal};
use pghaul_step::{Code, Failure};

/// How pghaul's role subscribes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Way {
    /// By `CREATE SUBSCRIPTION`.
    Native,
    /// By the function of aiven_extras, as it stands in the maintenance database.
    AivenExtras(AivenExtras),
}

/// The SQLSTATE with which PostgreSQL 16 and newer refuse a conninfo of somebody who is no superuser, when the
/// source would let the target's server in without a password.
const PASSWORD_REQUIRED: &str = "2F003";

const TRY: &str = "try a subscription";

/// How the attempt went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The source was reached.
    Reached,
    /// pghaul's role may not create subscriptions here.
    NotPermitted,
    /// pghaul's role may create subscriptions only with a password that the source asks for. Whether one is given: then
    /// the source does not ask for it.
    PasswordRequired {
        /// Whether the conninfo has one.
        given: bool,
    },
    /// What was reached has no such database.
    NoSuchDatabase,
    /// It failed otherwise; what the target says, without the password.
    Failed(String),
}

/// Tries to reach a database, or the one that the conninfo names.
pub(crate) async fn reach(
    session: &mut Session<Target, Rehearsal>,
    way: &Way,
    secret: &Secret,
    database: Option<&str>,
) -> Result<Outcome, Failure> {
    let name = format!("pghaul_probe_{}", session.backend_pid());
    let conninfo = conninfo(secret, database);
    let mut rehearsal = session.rehearse().await?;
    rehearsal
        .attempt("limit the attempt", "SET LOCAL statement_timeout = '15s'", &[])
        .await?;
    let tried = match way {
        Way::Native => subscribe(&mut rehearsal, &name, &conninfo).await?,
        Way::AivenExtras(there) => {
            if !matches!(
                there.rehearse(&mut rehearsal).await,
                Ok(AivenExtras::Usable { .. })
            ) {
                return Ok(Outcome::NotPermitted);
            }
            subscribe_by_function(&mut rehearsal, &name, &conninfo).await?
        }
    };
    rehearsal.roll_back().await?;
    match tried {
        Ok(()) => Ok(Outcome::Reached),
        Err(error) if error.sqlstate().is_none() => Err(without_password(error.into(), secret)),
        Err(error) => Ok(judge(&error, secret, database)),
    }
}

async fn subscribe(
    rehearsal: &mut Rehearsed<'_>,
    name: &str,
    conninfo: &str,
) -> Result<Result<(), PgError>, Failure> {
    let statement = format!(
        "CREATE SUBSCRIPTION {name} CONNECTION {} PUBLICATION pghaul_probe \
         WITH (connect = true, enabled = false, create_slot = false, slot_name = NONE, copy_data = false)",
        literal(conninfo)?
    );
    Ok(rehearsal.attempt_secretly(TRY, &statement).await)
}

/// The function can't create a subscription that is not enabled; no worker starts before it is committed.
async fn subscribe_by_function(
    rehearsal: &mut Rehearsed<'_>,
    name: &str,
    conninfo: &str,
) -> Result<Result<(), PgError>, Failure> {
    let (name, conninfo) = (literal(name)?, literal(conninfo)?);
    let statement = format!(
        "SELECT aiven_extras.pg_create_subscription({name}, {conninfo}, 'pghaul_probe', {name}, false, false)"
    );
    Ok(rehearsal.attempt_secretly(TRY, &statement).await)
}

/// Whether a conninfo has a password.
pub(crate) fn has_password(secret: &Secret) -> bool {
    password(secret).is_some()
}

fn judge(error: &PgError, secret: &Secret, database: Option<&str>) -> Outcome {
    let message = scrub(error.message(), secret);
    match error.code() {
        Code::PermissionDenied => Outcome::NotPermitted,
        _ if error.sqlstate() == Some(PASSWORD_REQUIRED) => Outcome::PasswordRequired {
            given: password(secret).is_some(),
        },
        Code::StatementCancelled => Outcome::Failed("no answer within 15 seconds".to_owned()),
        _ if database
            .is_some_and(|name| message.contains(&format!("database \"{name}\" does not exist"))) =>
        {
            Outcome::NoSuchDatabase
        }
        _ => Outcome::Failed(message),
    }
}

/// The conninfo with another database; libpq takes the last of two values.
fn conninfo(Secret(conninfo): &Secret, database: Option<&str>) -> String {
    match database {
        Some(name) => format!("{conninfo} dbname='{}'", escaped_value(name)),
        None => conninfo.clone(),
    }
}

fn without_password(failure: Failure, secret: &Secret) -> Failure {
    Failure {
        message: scrub(&failure.message, secret),
        causes: failure.causes.iter().map(|cause| scrub(cause, secret)).collect(),
        ..failure
    }
}

/// The text on one line, and without the password, should the server quote it.
fn scrub(text: &str, Secret(conninfo): &Secret) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match ConnInfo::parse(conninfo) {
        Ok(_) => match password(&Secret(conninfo.clone())) {
            Some(password) => line.replace(&password, "…"),
            None => line,
        },
        // What can't be read can't be searched for, either.
        Err(_) => "(the target's message is left out: it might show the password)".to_owned(),
    }
}

fn password(Secret(conninfo): &Secret) -> Option<String> {
    let conninfo = ConnInfo::parse(conninfo).ok()?;
    let password = conninfo.get("password").filter(|password| !password.is_empty())?;
    Some(password.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_does_not_get_out() {
        let secret = Secret("host=h password='s3 cret' user=u".to_owned());
        assert_eq!(
            scrub("could not connect:\n\t\"s3 cret\" is wrong", &secret),
            "could not connect: \"…\" is wrong"
        );
        assert_eq!(scrub("as it is", &Secret("host=h".to_owned())), "as it is");
        assert!(!scrub("s3cret", &Secret("nonsense s3cret".to_owned())).contains("s3cret"));
    }

    #[test]
    fn the_last_database_counts() {
        let secret = Secret("dbname=postgres host=h".to_owned());
        assert_eq!(
            conninfo(&secret, Some("it's")),
            "dbname=postgres host=h dbname='it\\'s'"
        );
    }
}
