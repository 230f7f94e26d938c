//! The check `replication-database`.

use crate::aiven_extras::AivenExtras;
use crate::capacity;
use crate::probe::Way;
use crate::target;
use pghaul_step::plan::classify;
use pghaul_step::postgres::extension::Extensions;
use pghaul_step::postgres::{QualifiedName, ReadOnly, Session, Source, Target};
use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Code, Concern, Database, Failure, Finding, FindingKind, Severity,
    Side, Subject, async_trait, listed, membership, quoted,
};
use serde::Serialize;

/// Why a database can't be replicated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum DatabaseObstacle {
    /// A server's setting leaves nothing for this database: slots, WAL senders or workers.
    CapacitySpent {
        /// Which server.
        side: Side,
        /// The setting.
        setting: &'static str,
        /// Its value.
        maximum: i64,
        /// How many others use already.
        used: i64,
        /// How many databases of the selection come before this one.
        position: usize,
        /// How much of it is kept for the workers that copy tables.
        reserved: i64,
        /// The value that is enough for all databases of the selection.
        needed: i64,
    },
    /// pghaul's role may not create publications: no CREATE on the database.
    NoCreatePrivilege {
        /// Which server.
        side: Side,
        /// The database.
        database: String,
        /// The role.
        role: String,
    },
    /// pghaul's role subscribes with the functions of aiven_extras, and can't use them in the target database.
    AivenExtrasMissing {
        /// The database.
        database: String,
        /// The role.
        role: String,
        /// How the extension stands there.
        #[serde(flatten)]
        aiven_extras: AivenExtras,
    },
    /// What pghaul's role has no right to itself, it can do with the functions of aiven_extras.
    ByAivenExtras {
        /// Where.
        side: Side,
        /// How the extension stands there.
        #[serde(flatten)]
        aiven_extras: AivenExtras,
    },
    /// The source refuses a publication for another reason.
    PublicationRefused {
        /// What it says.
        error: String,
    },
    /// The target's workers would look for the database under another name: they connect with texts in its encoding.
    NameNotAscii {
        /// The database.
        database: String,
        /// Its encoding.
        encoding: String,
    },
    /// pghaul's role does not own every table that is to be published.
    NotOwner {
        /// The role.
        role: String,
        /// The tables.
        tables: Vec<String>,
        /// Their owners.
        owners: Vec<String>,
        /// The statements that let the role act as the owners.
        #[serde(skip)]
        statements: String,
    },
}

impl DatabaseObstacle {
    /// Whether the functions of aiven_extras get round it: they act as a superuser.
    fn is_lifted_by_aiven_extras(&self) -> bool {
        let source = Side::Source;
        matches!(self, Self::NotOwner { .. })
            || matches!(self, Self::NoCreatePrivilege { side, .. } if *side == source)
    }
}

impl FindingKind for DatabaseObstacle {
    fn severity(&self) -> Severity {
        match self {
            Self::ByAivenExtras { .. } => Severity::Note,
            _ => Severity::Error,
        }
    }

    fn concern(&self) -> Concern {
        Concern::Replication
    }

    fn message(&self) -> String {
        match self {
            Self::CapacitySpent {
                side,
                setting,
                maximum,
                used,
                position,
                reserved,
                ..
            } => {
                let before = match position {
                    0 => String::new(),
                    1 => " and a database selected before this one needs the rest".to_owned(),
                    n => format!(" and {n} databases selected before this one need the rest"),
                };
                let more = match reserved {
                    0 => "",
                    _ => "; the workers that copy tables need one more",
                };
                format!("{setting} of the {side} is {maximum}, of which {used} are in use{before}{more}")
            }
            Self::NoCreatePrivilege { side, database, role } => {
                format!(
                    "role {} has no CREATE privilege on database {database} of the {side}",
                    quoted(role)
                )
            }
            Self::AivenExtrasMissing { database, role, .. } => format!(
                "role {} subscribes with aiven_extras only, and can't use it in database {database} of the target",
                quoted(role)
            ),
            Self::ByAivenExtras { side, aiven_extras } => {
                let (what, first) = match (side, aiven_extras) {
                    (Side::Source, AivenExtras::Installable) => ("publishes", ", which is installed first"),
                    (Side::Target, AivenExtras::Installable) => ("subscribes", ", which is installed first"),
                    (Side::Source, _) => ("publishes", ""),
                    (Side::Target, _) => ("subscribes", ""),
                };
                format!("pghaul's role {what} on the {side} with the functions of aiven_extras{first}")
            }
            Self::PublicationRefused { error } => format!("the source refuses a publication: {error}"),
            Self::NameNotAscii { database, encoding } => format!(
                "a subscription in a database of encoding {encoding} connects to the source in that encoding, in which the name \
                 {} is another one",
                quoted(database)
            ),
            Self::NotOwner { role, tables, .. } => format!(
                "role {} can publish only tables that it owns, not these ({}): {}",
                quoted(role),
                tables.len(),
                listed(tables)
            ),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::CapacitySpent {
                setting,
                needed,
                side,
                ..
            } => Some(format!(
                "ALTER SYSTEM SET {setting} = {needed}; and restart the {side}: that is enough for all databases"
            )),
            Self::NoCreatePrivilege { side, database, role } => Some(format!(
                "on the {side}: GRANT CREATE ON DATABASE {} TO {};",
                quoted(database),
                quoted(role)
            )),
            Self::AivenExtrasMissing {
                role,
                aiven_extras: AivenExtras::NoUsage { .. },
                ..
            } => Some(format!("GRANT USAGE ON SCHEMA aiven_extras TO {};", quoted(role))),
            Self::AivenExtrasMissing { .. } => Some("CREATE EXTENSION aiven_extras CASCADE;".to_owned()),
            Self::NameNotAscii { .. } => {
                Some("give the database a name in ASCII, for as long as it is moved".to_owned())
            }
            Self::ByAivenExtras { .. } | Self::PublicationRefused { .. } => None,
            Self::NotOwner { statements, .. } => Some(format!(
                "on the source: {statements} or connect to the source as a superuser"
            )),
        }
    }
}

/// The check `replication-database`: is there a slot, a WAL sender and a worker left for the database, and may our
/// role publish its tables?
///
/// Where there is too little for all, the databases selected first are replicated and the others dumped.
#[derive(Debug, Clone, Copy)]
pub struct ReplicationDatabase;

#[async_trait]
impl Check for ReplicationDatabase {
    type Scope = Database;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "replication-database",
            summary: "the database can be replicated",
            after: &["database-connection"],
        }
    }

    async fn examine(&self, ctx: &CheckContext<Database>) -> Result<Vec<Finding>, Failure> {
        let mut obstacles = Vec::new();
        on_source(ctx, &mut obstacles).await?;
        on_target(ctx, &mut obstacles).await?;
        let subject = Subject::Database(ctx.database().clone());
        Ok(obstacles
            .iter()
            .map(|o| o.about("replication-database", subject.clone()))
            .collect())
    }
}

async fn on_source(
    ctx: &CheckContext<Database>,
    obstacles: &mut Vec<DatabaseObstacle>,
) -> Result<(), Failure> {
    let session = ctx.source().await?;
    let limits = capacity::of_source(&session, ctx.landscape()).await?;
    obstacles.extend(spent(ctx, Side::Source, &limits));
    obstacles.extend(other_name(&session).await?);
    let mut about_rights = Vec::from_iter(foreign_tables(ctx, &session).await?);
    // That it is a standby, where nothing can be tried, `replication-source` says.
    if !session.is_standby().await? {
        about_rights.extend(publication_refusal(ctx).await?);
        if about_rights
            .iter()
            .any(DatabaseObstacle::is_lifted_by_aiven_extras)
            && let Some(help) = publishes_by_aiven_extras(ctx).await?
        {
            about_rights.retain(|obstacle| !obstacle.is_lifted_by_aiven_extras());
            about_rights.push(help);
        }
    }
    obstacles.append(&mut about_rights);
    Ok(())
}

/// Whether the database has another name in its own encoding, which the target's database has too.
async fn other_name(session: &Session<Source, ReadOnly>) -> Result<Option<DatabaseObstacle>, Failure> {
    let database = session.database();
    let encoding = session.setting("server_encoding").await?.unwrap_or_default();
    let other = !database.is_ascii() && !["UTF8", "SQL_ASCII"].contains(&encoding.as_str());
    Ok(other.then(|| DatabaseObstacle::NameNotAscii {
        database: database.to_owned(),
        encoding,
    }))
}

/// Whether pghaul's role can publish with the functions of aiven_extras, which is tried where that is not installed.
async fn publishes_by_aiven_extras(
    ctx: &CheckContext<Database>,
) -> Result<Option<DatabaseObstacle>, Failure> {
    let session = ctx.source().await?;
    let extensions = ctx
        .once("the extensions of the source", async {
            Extensions::of(&*ctx.source().await?).await
        })
        .await?;
    let there = AivenExtras::of(&*session, &extensions).await?;
    let helps = match &there {
        AivenExtras::Installable => {
            let mut session = ctx.rehearse_on_source().await?;
            let mut rehearsal = session.rehearse().await?;
            let installed = there.rehearse(&mut rehearsal).await;
            rehearsal.roll_back().await?;
            matches!(installed, Ok(AivenExtras::Usable { .. }))
        }
        there => there.helps(),
    };
    Ok(helps.then_some(DatabaseObstacle::ByAivenExtras {
        side: Side::Source,
        aiven_extras: there,
    }))
}

async fn on_target(
    ctx: &CheckContext<Database>,
    obstacles: &mut Vec<DatabaseObstacle>,
) -> Result<(), Failure> {
    let session = ctx.target().await?;
    let limits = capacity::of_target(&session, ctx.landscape()).await?;
    // Where nothing is left at all, `replication-target` says so once for all databases.
    if limits.iter().all(|limit| limit.free() > 0) {
        obstacles.extend(spent(ctx, Side::Target, &limits));
    }
    if let Way::AivenExtras(_) = target::remembered(ctx).await? {
        obstacles.push(subscribes_by_aiven_extras(ctx, &session).await?);
        return Ok(());
    }
    // In a database that we create ourselves we may do everything.
    let sql = "SELECT 1 FROM pg_catalog.pg_database \
               WHERE datname = $1 AND NOT pg_catalog.has_database_privilege(oid, 'CREATE')";
    let doing = session.doing("look for the right to create a subscription");
    let database = ctx.target_name().to_string();
    if doing.query_opt(sql, &[&database]).await?.is_some() {
        let role = session.role().await?.name;
        obstacles.push(DatabaseObstacle::NoCreatePrivilege {
            side: Side::Target,
            database,
            role,
        });
    }
    Ok(())
}

/// Whether aiven_extras, without which pghaul's role can't subscribe, helps in the target database: as it stands there,
/// or as it will stand in a new one.
async fn subscribes_by_aiven_extras(
    ctx: &CheckContext<Database>,
    maintenance: &Session<Target, ReadOnly>,
) -> Result<DatabaseObstacle, Failure> {
    let extensions = ctx.target_extensions().await?;
    let aiven_extras = match ctx.target_database().await? {
        Some(session) => AivenExtras::of(&*session, &extensions).await?,
        None => AivenExtras::not_installed(&extensions),
    };
    Ok(if aiven_extras.helps() {
        DatabaseObstacle::ByAivenExtras {
            side: Side::Target,
            aiven_extras,
        }
    } else {
        DatabaseObstacle::AivenExtrasMissing {
            database: ctx.database().to_string(),
            role: maintenance.role().await?.name,
            aiven_extras,
        }
    })
}

/// The limits that leave nothing for this database.
fn spent(
    ctx: &CheckContext<Database>,
    side: Side,
    limits: &[capacity::Limit],
) -> impl Iterator<Item = DatabaseObstacle> {
    let position = capacity::position(ctx.landscape(), ctx.database());
    let spent = limits.iter().filter(move |limit| limit.is_spent_before(position));
    spent.map(move |limit| DatabaseObstacle::CapacitySpent {
        side,
        setting: limit.setting,
        maximum: limit.maximum,
        used: limit.used,
        position,
        reserved: limit.reserved,
        needed: limit.needed(ctx.landscape().selected.len()),
    })
}

/// The tables that would be published and that the connecting role does not own.
async fn foreign_tables(
    ctx: &CheckContext<Database>,
    session: &Session<Source, ReadOnly>,
) -> Result<Option<DatabaseObstacle>, Failure> {
    let catalog = ctx.catalog().await?;
    let plan = classify(&catalog);
    let published = plan.iter().filter(|table| table.is_published());
    let published = published.filter_map(|table| catalog.relations.by_name(&table.name));
    let mut tables = Vec::new();
    let mut owners: Vec<String> = Vec::new();
    for relation in published.filter(|relation| !relation.owned) {
        tables.push(QualifiedName::try_from(&relation.name)?.short());
        if !owners.iter().any(|owner| *owner == *relation.owner) {
            owners.push(relation.owner.to_string());
        }
    }
    if tables.is_empty() {
        return Ok(None);
    }
    let role = session.role().await?;
    Ok(Some(DatabaseObstacle::NotOwner {
        statements: membership(&role, session.server_version(), &owners),
        role: role.name,
        tables,
        owners,
    }))
}

/// Tries to create and to drop an empty publication, which takes no lock on any table.
async fn publication_refusal(ctx: &CheckContext<Database>) -> Result<Option<DatabaseObstacle>, Failure> {
    let mut session = ctx.rehearse_on_source().await?;
    let name = format!("pghaul_probe_{}", session.backend_pid());
    let mut rehearsal = session.rehearse().await?;
    let mut tried = Ok(0);
    for verb in ["CREATE", "DROP"] {
        if tried.is_ok() {
            let sql = format!("{verb} PUBLICATION {name}");
            tried = rehearsal.attempt("try a publication", &sql, &[]).await;
        }
    }
    rehearsal.roll_back().await?;
    let error = match tried {
        Ok(_) => return Ok(None),
        Err(error) => error,
    };
    match error.code() {
        // Somebody else works on the catalogs. The real attempt waits longer.
        Code::LockTimeout => Ok(None),
        Code::PermissionDenied => {
            let role = session.role().await?.name;
            let database = ctx.database().to_string();
            Ok(Some(DatabaseObstacle::NoCreatePrivilege {
                side: Side::Source,
                database,
                role,
            }))
        }
        _ if error.sqlstate().is_some() => Ok(Some(DatabaseObstacle::PublicationRefused {
            error: error.message().to_owned(),
        })),
        _ => Err(error.into()),
    }
}
