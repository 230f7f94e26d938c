//! The check `superuser-objects`.

use crate::each;
use pghaul_step::postgres::{Rehearsed, Session, Target};
use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Code, Database, Failure, Finding, FindingKind, Severity,
    async_trait, quoted,
};
use serde::Serialize;
use std::collections::BTreeMap;

/// Objects that pghaul's role on the target can't create.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum NeedsSuperuser {
    /// Objects of a kind that a superuser alone creates.
    ObjectsNotPermitted {
        /// pghaul's role on the target.
        role: String,
        /// The objects.
        objects: Vec<String>,
    },
    /// Functions with a setting that a superuser alone gives them.
    SettingNotPermitted {
        /// pghaul's role on the target.
        role: String,
        /// The setting.
        setting: String,
        /// The functions.
        objects: Vec<String>,
    },
    /// A setting of the database, or of roles in it, that a superuser alone gives.
    DatabaseSettingNotPermitted {
        /// pghaul's role on the target.
        role: String,
        /// The setting.
        setting: String,
        /// The database, or the roles.
        objects: Vec<String>,
    },
}

impl FindingKind for NeedsSuperuser {
    fn severity(&self) -> Severity {
        match self {
            Self::DatabaseSettingNotPermitted { .. } => Severity::Warning,
            _ => Severity::Error,
        }
    }

    fn message(&self) -> String {
        match self {
            Self::ObjectsNotPermitted { role, objects } => format!(
                "role {} on the target may not create these objects, which need a superuser ({}): {}",
                quoted(role),
                objects.len(),
                each(objects)
            ),
            Self::SettingNotPermitted {
                role,
                setting,
                objects,
            } => format!(
                "role {} on the target may not set {setting}, which these functions do ({}): {}",
                quoted(role),
                objects.len(),
                each(objects)
            ),
            Self::DatabaseSettingNotPermitted {
                role,
                setting,
                objects,
            } => format!(
                "role {} on the target may not set {setting}, which is set for {}: this is left out",
                quoted(role),
                each(objects)
            ),
        }
    }

    fn hint(&self) -> Option<String> {
        let rest = "connect to the target as a superuser; or accept with --accept superuser-objects that they are missing, \
                    with all that depends on them";
        Some(match self {
            Self::ObjectsNotPermitted { .. } => rest.to_owned(),
            Self::SettingNotPermitted { role, setting, .. } => format!(
                "from PostgreSQL 15 on, as a superuser of the target: GRANT SET ON PARAMETER {setting} TO {}; or {rest}",
                quoted(role)
            ),
            Self::DatabaseSettingNotPermitted { role, setting, .. } => format!(
                "from PostgreSQL 15 on, as a superuser of the target: GRANT SET ON PARAMETER {setting} TO {}; or set it there \
                 afterwards",
                quoted(role)
            ),
        })
    }
}

/// The check `superuser-objects`: may pghaul's role create what a superuser has created on the source?
///
/// One object of each kind is tried in a transaction that is rolled back, since services allow more than PostgreSQL does.
/// What can't be tried, a superuser alone creates.
#[derive(Debug, Clone, Copy)]
pub struct SuperuserObjects;

/// The first version whose publications may list schemas.
const HAS_SCHEMAS: u32 = 150_000;

#[async_trait]
impl Check for SuperuserObjects {
    type Scope = Database;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "superuser-objects",
            summary: "pghaul's role may create what a superuser has created on the source",
            after: super::AFTER,
        }
    }

    async fn examine(&self, ctx: &CheckContext<Database>) -> Result<Vec<Finding>, Failure> {
        let target = ctx.target().await?;
        let role = target.role().await?;
        if role.superuser {
            return Ok(Vec::new());
        }
        let source = ctx.source().await?;
        let of_schemas = match source.server_version() {
            HAS_SCHEMAS.. => {
                "OR EXISTS (SELECT FROM pg_catalog.pg_publication_namespace n WHERE n.pnpubid = p.oid)"
            }
            _ => "",
        };
        let sql = include_str!("superuser_objects.sql").replace("{of_schemas}", of_schemas);
        let doing = source.doing("list what a superuser has created");
        let mut objects: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let (catalogs, oids) = ctx.left_out().await?;
        for row in doing.query(&sql, &[&catalogs, &oids]).await? {
            objects
                .entry(row.get("kind"))
                .or_default()
                .push(row.get("object"));
        }
        let doing = source.doing("list the settings of functions");
        let mut settings: BTreeMap<(String, bool), Vec<String>> = BTreeMap::new();
        for row in doing.query(include_str!("superuser_settings.sql"), &[]).await? {
            settings
                .entry((row.get("setting"), row.get("of_function")))
                .or_default()
                .push(row.get("object"));
        }
        if objects.is_empty() && settings.is_empty() {
            return Ok(Vec::new());
        }
        let problems = try_all(ctx, objects, settings, &role.name).await?;
        let found = problems
            .iter()
            .map(|problem| problem.about("superuser-objects", super::database(ctx)));
        Ok(found.collect())
    }
}

async fn try_all(
    ctx: &CheckContext<Database>,
    objects: BTreeMap<String, Vec<String>>,
    settings: BTreeMap<(String, bool), Vec<String>>,
    role: &str,
) -> Result<Vec<NeedsSuperuser>, Failure> {
    let mut session: Session<Target, _> = match ctx.target_database().await? {
        Some(_) => ctx.rehearse_on_target_database().await?,
        None => ctx.rehearse_on_target().await?,
    };
    let probe = format!("pghaul_probe_{}", session.backend_pid());
    let mut rehearsal = session.rehearse().await?;
    let mut refused = Vec::new();
    for (kind, objects) in objects {
        let mut works = !trial(&kind, &probe).is_empty();
        for statement in trial(&kind, &probe) {
            works = works && succeeds(&mut rehearsal, &statement).await? == Some(true);
        }
        if !works {
            refused.extend(objects);
        }
    }
    let mut problems = Vec::new();
    if !refused.is_empty() {
        problems.push(NeedsSuperuser::ObjectsNotPermitted {
            role: role.to_owned(),
            objects: refused,
        });
    }
    for ((setting, of_function), objects) in settings {
        let name = pghaul_step::postgres::Ident::new(&setting)?;
        let statement = format!("SET LOCAL {name} TO DEFAULT");
        if succeeds(&mut rehearsal, &statement).await? == Some(false) {
            let role = role.to_owned();
            problems.push(match of_function {
                true => NeedsSuperuser::SettingNotPermitted {
                    role,
                    setting,
                    objects,
                },
                false => NeedsSuperuser::DatabaseSettingNotPermitted {
                    role,
                    setting,
                    objects,
                },
            });
        }
    }
    rehearsal.roll_back().await?;
    session.close().await;
    Ok(problems)
}

/// Whether a statement succeeds; nothing where it fails for another reason than a missing right.
async fn succeeds(rehearsal: &mut Rehearsed<'_>, statement: &str) -> Result<Option<bool>, Failure> {
    match rehearsal
        .attempt("try what needs a superuser", statement, &[])
        .await
    {
        Ok(_) => Ok(Some(true)),
        Err(error) if error.code() == Code::PermissionDenied => Ok(Some(false)),
        Err(error) if error.sqlstate().is_some() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The statements that create an object of a kind; none where it can't be tried without others.
fn trial(kind: &str, probe: &str) -> Vec<String> {
    match kind {
        "event-trigger" => vec![
            format!(
                "CREATE FUNCTION pg_temp.{probe}() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'"
            ),
            format!("CREATE EVENT TRIGGER {probe} ON ddl_command_end EXECUTE PROCEDURE pg_temp.{probe}()"),
            format!("DROP EVENT TRIGGER {probe}"),
        ],
        "foreign-data-wrapper" => vec![format!("CREATE FOREIGN DATA WRAPPER {probe}")],
        "publication" => vec![format!("CREATE PUBLICATION {probe} FOR ALL TABLES")],
        "operator-class" => vec![format!("CREATE OPERATOR FAMILY pg_temp.{probe} USING btree")],
        "type" => vec![format!("CREATE TYPE pg_temp.{probe}")],
        "access-method" => vec![format!(
            "CREATE ACCESS METHOD {probe} TYPE INDEX HANDLER bthandler"
        )],
        "text-search" => vec![format!(
            "CREATE TEXT SEARCH TEMPLATE pg_temp.{probe} (LEXIZE = dsimple_lexize)"
        )],
        "leakproof" => vec![format!(
            "CREATE FUNCTION pg_temp.{probe}_leakproof() RETURNS integer LANGUAGE sql IMMUTABLE LEAKPROOF AS 'SELECT 1'"
        )],
        _ => Vec::new(),
    }
}
