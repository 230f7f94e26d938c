//! Tries to create an extension: what only the server can tell, such as a library that can't be loaded.

use super::members::{MEMBERS, Member, by_extension};
use pghaul_step::postgres::{Ident, PgError, Rehearsal, Session, Target};
use pghaul_step::{CheckContext, Code, Database, Failure, SharedSession};

/// How a trial ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trial {
    /// It can be created, and has these members then.
    Created(Vec<Member>),
    /// The server says that pghaul's role may not.
    NotPermitted,
    /// The server can't create it, whoever asks; what it says.
    Fails(String),
    /// It could not be tried where we were, or the outcome says nothing about another database.
    Unknown,
}

/// Tries to create an extension: in the database itself where it is there already, else in the maintenance
/// database, then once for all databases of the survey. The transaction is rolled back.
pub(super) async fn create(
    ctx: &CheckContext<Database>,
    existing: Option<&SharedSession<Target>>,
    extension: &str,
) -> Result<Trial, Failure> {
    match existing {
        Some(session) if may_create(session).await? => {
            let session = ctx.rehearse_on_target_database().await?;
            attempt(session, extension).await
        }
        Some(_) => Ok(Trial::Unknown),
        None => {
            let in_maintenance = async {
                let session = ctx.target().await?;
                if !may_create(&session).await? || session.is_standby().await? {
                    return Ok(Trial::Unknown);
                }
                attempt(ctx.rehearse_on_target().await?, extension).await
            };
            let trial = ctx
                .once(&format!("try extension {extension}"), in_maintenance)
                .await?;
            Ok((*trial).clone())
        }
    }
}

/// Whether pghaul's role has CREATE on the session's database.
async fn may_create(session: &SharedSession<Target>) -> Result<bool, Failure> {
    let sql = "SELECT pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE')";
    let doing = session.doing("look for the right to create");
    Ok(doing.query_one(sql, &[]).await?.get(0))
}

async fn attempt(mut session: Session<Target, Rehearsal>, extension: &str) -> Result<Trial, Failure> {
    let schema = format!("pghaul_probe_{}", session.backend_pid());
    let mut rehearsal = session.rehearse().await?;
    // An extension without a schema of its own goes to the first of the search path.
    let statements = [
        "SET LOCAL statement_timeout = '30s'".to_owned(),
        format!("CREATE SCHEMA {schema}"),
        format!("SET LOCAL search_path = {schema}"),
        format!("CREATE EXTENSION {} CASCADE", Ident::new(extension)?),
    ];
    let mut refused = None;
    for statement in &statements {
        if let Err(error) = rehearsal.attempt("try an extension", statement, &[]).await {
            refused = Some(judge(error)?);
            break;
        }
    }
    let trial = match refused {
        Some(refused) => refused,
        None => {
            let doing = rehearsal.doing("list the members of an extension");
            let mut members = by_extension(&doing.query(MEMBERS, &[]).await?);
            Trial::Created(members.remove(extension).unwrap_or_default())
        }
    };
    rehearsal.roll_back().await?;
    session.close().await;
    Ok(trial)
}

fn judge(error: PgError) -> Result<Trial, Failure> {
    let Some(sqlstate) = error.sqlstate() else {
        return Err(error.into());
    };
    Ok(match (error.code(), sqlstate) {
        (Code::PermissionDenied, _) => Trial::NotPermitted,
        // Somebody else works there; or what it would create is there already, itself or a namesake.
        (Code::LockTimeout | Code::StatementCancelled, _) => Trial::Unknown,
        (_, "23505" | "40P01") => Trial::Unknown,
        // Its script looks for something in a schema that is another one here.
        (_, state) if state.starts_with("42") => Trial::Unknown,
        _ => Trial::Fails(error.message().to_owned()),
    })
}
