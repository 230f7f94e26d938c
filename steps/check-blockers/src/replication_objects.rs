//! The check `replication-objects`.

use pghaul_step::check::maintenance;
use pghaul_step::postgres::{Ident, ReadOnly, Session, Target, literal};
use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Database, Failure, Finding, FindingKind, Severity, Side, Subject,
    async_trait, listed, quoted,
};
use serde::Serialize;

/// What the names of pghaul's own objects begin with.
const OURS: &str = "pghaul_";

/// Replication that is there already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ReplicationObject {
    /// Others publish the database's tables.
    Publications {
        /// The publications.
        publications: Vec<String>,
    },
    /// Others read the database's changes.
    Consumers {
        /// Their slots.
        slots: Vec<String>,
    },
    /// The database gets rows from elsewhere.
    SourceSubscribes {
        /// The subscriptions.
        subscriptions: Vec<String>,
    },
    /// The database of that name on the target gets rows from elsewhere.
    TargetSubscribes {
        /// The subscriptions.
        subscriptions: Vec<String>,
        /// The database, as the target names it.
        #[serde(skip)]
        database: String,
    },
    /// Objects of another migration of pghaul.
    LeftBehind {
        /// Which server.
        side: Side,
        /// The objects, with their kind.
        objects: Vec<String>,
        /// What removes them.
        #[serde(skip)]
        statements: Vec<String>,
        /// The database, as that server names it.
        #[serde(skip)]
        database: String,
    },
}

impl FindingKind for ReplicationObject {
    fn severity(&self) -> Severity {
        match self {
            Self::Publications { .. } => Severity::Note,
            _ => Severity::Warning,
        }
    }

    fn message(&self) -> String {
        let said = |what: &str, names: &[String]| format!("{what} ({}): {}", names.len(), listed(names));
        match self {
            Self::Publications { publications } => said(
                "the target gets the database's publications too, but no subscriber comes with them",
                publications,
            ),
            Self::Consumers { slots } => said(
                "others read the database's changes from slots, which are not moved: what is written on the target does \
                 not reach them",
                slots,
            ),
            Self::SourceSubscribes { subscriptions } => said(
                "the database gets rows through subscriptions, which are not moved: after the cutover those rows go on to \
                 the source",
                subscriptions,
            ),
            Self::TargetSubscribes { subscriptions, .. } => said(
                "the database on the target gets rows through subscriptions, besides ours",
                subscriptions,
            ),
            Self::LeftBehind { side, objects, .. } => said(
                &format!("another migration of pghaul has objects of this database on the {side}"),
                objects,
            ),
        }
    }

    fn hint(&self) -> Option<String> {
        let first = |names: &[String]| names.first().map(|name| quoted(name)).unwrap_or_default();
        Some(match self {
            Self::Publications { .. } => "turn the subscribers to the target at the cutover".to_owned(),
            Self::Consumers { .. } => {
                "at the cutover, let them read to the end, and make their slots anew on the target before anything is \
                 written there"
                    .to_owned()
            }
            Self::SourceSubscribes { .. } => {
                "at the cutover, disable them on the source, and create them on the target with copy_data = false".to_owned()
            }
            Self::TargetSubscribes {
                subscriptions,
                database,
            } => format!(
                "on the target, in database {}, for each that nobody needs: DROP SUBSCRIPTION {};",
                quoted(database),
                first(subscriptions)
            ),
            Self::LeftBehind {
                side,
                statements,
                database,
                ..
            } => format!(
                "pghaul remove with its journal removes them; where that is lost, on the {side}, in database {}: {}",
                quoted(database),
                statements.join(" ")
            ),
        })
    }
}

/// The check `replication-objects`: who else replicates the database, or did?
#[derive(Debug, Clone, Copy)]
pub struct ReplicationObjects;

#[async_trait]
impl Check for ReplicationObjects {
    type Scope = Database;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "replication-objects",
            summary: "nobody else replicates the database",
            after: &["database-connection"],
        }
    }

    async fn examine(&self, ctx: &CheckContext<Database>) -> Result<Vec<Finding>, Failure> {
        let source = ctx.source().await?;
        let doing = source.doing("look for replication of the database");
        let rows = doing
            .query(include_str!("replication_objects_source.sql"), &[])
            .await?;
        let objects: Vec<(String, String)> = rows
            .iter()
            .map(|row| (row.get("kind"), row.get("name")))
            .collect();
        let target = maintenance(ctx.target_server()).await?;
        let there: Vec<(String, String)> = subscriptions(&target, ctx).await?;
        let of_others = |objects: &[(String, String)], kind: &str| -> Vec<String> {
            let those = objects
                .iter()
                .filter(|(of, name)| of == kind && !name.starts_with(OURS));
            those.map(|(_, name)| name.clone()).collect()
        };
        let some = |names: Vec<String>| (!names.is_empty()).then_some(names);
        let found = [
            some(of_others(&objects, "publication"))
                .map(|publications| ReplicationObject::Publications { publications }),
            some(of_others(&objects, "slot")).map(|slots| ReplicationObject::Consumers { slots }),
            some(of_others(&objects, "subscription"))
                .map(|subscriptions| ReplicationObject::SourceSubscribes { subscriptions }),
            some(of_others(&there, "subscription")).map(|subscriptions| {
                ReplicationObject::TargetSubscribes {
                    subscriptions,
                    database: ctx.target_name().to_string(),
                }
            }),
            left_behind(ctx, Side::Target, &there)?,
            left_behind(ctx, Side::Source, &objects)?,
        ];
        let subject = Subject::Database(ctx.database().clone());
        Ok(found
            .iter()
            .flatten()
            .map(|object| object.about("replication-objects", subject.clone()))
            .collect())
    }
}

/// The subscriptions of the target's database; every database sees those of all.
async fn subscriptions(
    target: &Session<Target, ReadOnly>,
    ctx: &CheckContext<Database>,
) -> Result<Vec<(String, String)>, Failure> {
    let sql = "SELECT u.subname::text FROM pg_catalog.pg_subscription u \
               JOIN pg_catalog.pg_database d ON d.oid = u.subdbid WHERE d.datname = $1 ORDER BY 1";
    let doing = target.doing("look for subscriptions of the database");
    let rows = doing.query(sql, &[&ctx.target_name().as_str()]).await?;
    Ok(rows
        .iter()
        .map(|row| ("subscription".to_owned(), row.get(0)))
        .collect())
}

/// What other migrations of pghaul's have in the database.
fn left_behind(
    ctx: &CheckContext<Database>,
    side: Side,
    objects: &[(String, String)],
) -> Result<Option<ReplicationObject>, Failure> {
    let own = ctx
        .landscape()
        .migration
        .as_ref()
        .map(|migration| format!("{OURS}{migration}_"));
    let is_own = |name: &str| own.as_ref().is_some_and(|own| name.starts_with(own));
    let (mut names, mut statements) = (Vec::new(), Vec::new());
    for (kind, name) in objects
        .iter()
        .filter(|(_, name)| name.starts_with(OURS) && !is_own(name))
    {
        names.push(format!("{kind} {}", quoted(name)));
        let ident = Ident::new(name.as_str())?;
        statements.push(match kind.as_str() {
            "publication" => format!("DROP PUBLICATION {ident};"),
            "slot" => format!("SELECT pg_drop_replication_slot({});", literal(name)?),
            _ => format!(
                "ALTER SUBSCRIPTION {ident} DISABLE; ALTER SUBSCRIPTION {ident} SET (slot_name = NONE); \
                 DROP SUBSCRIPTION {ident};"
            ),
        });
    }
    if side == Side::Source && statements.len() > 1 {
        // The slot of a migration that is alive can't be dropped, and then its publication stays.
        statements.reverse();
        statements.insert(0, "BEGIN;".to_owned());
        statements.push("COMMIT;".to_owned());
    }
    let database = match side {
        Side::Source => ctx.database(),
        Side::Target => ctx.target_name(),
    };
    Ok((!names.is_empty()).then(|| ReplicationObject::LeftBehind {
        side,
        objects: names,
        statements,
        database: database.to_string(),
    }))
}
