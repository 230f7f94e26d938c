//! The check `collations`.

use pghaul_step::postgres::{
    PgError, QualifiedName, QuoteError, ReadOnly, Rehearsal, Row, Session, Source, Target, literal,
};
use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Code, Database, Failure, Finding, FindingKind, Severity,
    async_trait, listed, quoted,
};
use serde::Serialize;
use std::collections::BTreeMap;

/// What is wrong with the collations of a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum CollationProblem {
    /// The target does not have a collation that is in use.
    CollationMissing {
        /// Its name.
        collation: String,
        /// The locale that it stands for.
        locale: String,
        /// What the target says, where it was tried.
        error: Option<String>,
    },
    /// The source's library has changed since indexes were sorted by it.
    SortedByOlderVersion {
        /// The database.
        database: String,
        /// Collations, with the version noted and the version there is; `default` is the database's own.
        collations: Vec<String>,
        /// Whether the database's own is among them.
        default: bool,
    },
    /// The libraries of both servers are not of the same version.
    SortOrderMayDiffer {
        /// Collations, with the versions of source and target.
        collations: Vec<String>,
    },
}

impl FindingKind for CollationProblem {
    fn severity(&self) -> Severity {
        match self {
            Self::CollationMissing { .. } => Severity::Error,
            Self::SortedByOlderVersion { .. } => Severity::Warning,
            Self::SortOrderMayDiffer { .. } => Severity::Note,
        }
    }

    fn message(&self) -> String {
        match self {
            Self::CollationMissing {
                collation,
                locale,
                error,
            } => {
                let why = error
                    .as_ref()
                    .map(|error| format!(": {error}"))
                    .unwrap_or_default();
                format!("the target does not have the collation {collation} (locale {locale}){why}")
            }
            Self::SortedByOlderVersion { collations, .. } => format!(
                "the source's indexes were sorted by another version of its collations than it has now, so they may \
                 be corrupt and unique ones may hold duplicates, which the target will refuse: {}",
                listed(collations)
            ),
            Self::SortOrderMayDiffer { collations } => format!(
                "collations come from other versions of their library on the target; its indexes are built there and \
                 are sound, but the order of texts, and bounds of range partitions, may differ: {}",
                listed(collations)
            ),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::CollationMissing { .. } => Some(
                "install the locale in the target's operating system and run there: SELECT \
                 pg_import_system_collations('pg_catalog'); for ICU, use a target that is built with it"
                    .to_owned(),
            ),
            Self::SortedByOlderVersion {
                database, default, ..
            } => {
                let name = quoted(database);
                let refresh = match default {
                    true => format!("ALTER DATABASE {name} REFRESH COLLATION VERSION;"),
                    false => "ALTER COLLATION … REFRESH VERSION;".to_owned(),
                };
                Some(format!("on the source: REINDEX DATABASE {name}; {refresh}"))
            }
            Self::SortOrderMayDiffer { .. } => None,
        }
    }
}

/// A collation of the source's database.
struct Used {
    name: QualifiedName,
    of_system: bool,
    provider: String,
    collate: String,
    ctype: String,
    locale: String,
    deterministic: bool,
    rules: Option<String>,
    recorded: Option<String>,
    actual: Option<String>,
}

impl Used {
    fn of(row: &Row) -> Result<Self, QuoteError> {
        Ok(Self {
            name: QualifiedName::new(row.get::<_, String>("schema"), row.get::<_, String>("name"))?,
            of_system: row.get("of_system"),
            provider: row.get::<_, Option<String>>("provider").unwrap_or_default(),
            collate: row.get::<_, Option<String>>("collate").unwrap_or_default(),
            ctype: row.get::<_, Option<String>>("ctype").unwrap_or_default(),
            locale: row.get::<_, Option<String>>("locale").unwrap_or_default(),
            deterministic: row.get("deterministic"),
            rules: row.get("rules"),
            recorded: row.get("recorded"),
            actual: row.get("actual"),
        })
    }

    /// The statement that makes the same collation elsewhere, for a moment.
    fn trial(&self, number: usize) -> Result<String, QuoteError> {
        let mut options = match self.provider.as_str() {
            "i" => format!("PROVIDER = icu, LOCALE = {}", literal(&self.locale)?),
            "b" => format!("PROVIDER = builtin, LOCALE = {}", literal(&self.locale)?),
            _ => format!(
                "LC_COLLATE = {}, LC_CTYPE = {}",
                literal(&self.collate)?,
                literal(&self.ctype)?
            ),
        };
        if !self.deterministic {
            options.push_str(", DETERMINISTIC = false");
        }
        if let Some(rules) = &self.rules {
            options.push_str(&format!(", RULES = {}", literal(rules)?));
        }
        Ok(format!(
            "CREATE COLLATION pg_temp.pghaul_probe_{number} ({options})"
        ))
    }

    fn missing(&self, error: Option<String>) -> CollationProblem {
        CollationProblem::CollationMissing {
            collation: self.short(),
            locale: self.locale.clone(),
            error,
        }
    }

    fn short(&self) -> String {
        match self.of_system {
            true => quoted(self.name.name.as_str()),
            false => self.name.short(),
        }
    }
}

/// The check `collations`: has the target the collations in use, and do both sort by the same version of them?
#[derive(Debug, Clone, Copy)]
pub struct Collations;

#[async_trait]
impl Check for Collations {
    type Scope = Database;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "collations",
            summary: "the target has the collations in use, in the same version",
            after: super::AFTER,
        }
    }

    async fn examine(&self, ctx: &CheckContext<Database>) -> Result<Vec<Finding>, Failure> {
        let source = ctx.source().await?;
        let doing = source.doing("list the collations in use");
        let rows = doing.query(include_str!("collations.sql"), &[]).await?;
        let used = rows.iter().map(Used::of).collect::<Result<Vec<_>, _>>()?;
        let default = Default::read(&source).await?;
        let mut found: Vec<CollationProblem> = sorted_by_older(ctx, &used, &default).into_iter().collect();
        let target = ctx.target().await?;
        let there = known(&target, &used, &default).await?;
        let can_try = !target.is_standby().await?;
        let of_system = used.iter().filter(|collation| collation.of_system);
        found.extend(
            of_system
                .clone()
                .filter(|collation| !there.contains_key(collation.name.name.as_str()))
                .map(|collation| collation.missing(None)),
        );
        let own: Vec<&Used> = used.iter().filter(|collation| !collation.of_system).collect();
        if can_try && !own.is_empty() {
            found.extend(refused(&mut ctx.rehearse_on_target().await?, &own).await?);
        }
        found.extend(order_may_differ(&used, &default, &there));
        Ok(found
            .iter()
            .map(|problem| problem.about("collations", super::database(ctx)))
            .collect())
    }
}

/// The collation that a database has by default.
struct Default {
    /// The system's collation for the same locale.
    collation: String,
    encoding: i32,
    recorded: Option<String>,
    actual: Option<String>,
}

impl Default {
    async fn read(source: &Session<Source, ReadOnly>) -> Result<Self, Failure> {
        let actual = match source.server_version() {
            150_000.. => "pg_catalog.pg_database_collation_actual_version(d.oid)",
            _ => {
                "(SELECT pg_catalog.max(pg_catalog.pg_collation_actual_version(l.oid)) FROM pg_catalog.pg_collation l \
                  WHERE l.collcollate = d.datcollate AND l.collprovider = 'c')"
            }
        };
        let sql = include_str!("collation_of_database.sql").replace("{actual}", actual);
        let row = source
            .doing("read the version of the database's collation")
            .query_one(&sql, &[])
            .await?;
        Ok(Self {
            collation: row.get("collation"),
            encoding: row.get("encoding"),
            recorded: row.get("recorded"),
            actual: row.get("actual"),
        })
    }
}

fn sorted_by_older(
    ctx: &CheckContext<Database>,
    used: &[Used],
    default: &Default,
) -> Option<CollationProblem> {
    let own = ("default".to_owned(), &default.recorded, &default.actual);
    let others = used.iter().map(|c| (c.short(), &c.recorded, &c.actual));
    let collations: Vec<String> = std::iter::once(own)
        .chain(others)
        .filter_map(|(name, recorded, actual)| match (recorded, actual) {
            (Some(recorded), Some(actual)) if recorded != actual => {
                Some(format!("{name} ({recorded}, now {actual})"))
            }
            _ => None,
        })
        .collect();
    (!collations.is_empty()).then(|| CollationProblem::SortedByOlderVersion {
        database: ctx.database().to_string(),
        default: collations.iter().any(|name| name.starts_with("default (")),
        collations,
    })
}

/// The system's collations on the target, among them the one that stands for the database's own locale.
async fn known(
    target: &Session<Target, ReadOnly>,
    used: &[Used],
    default: &Default,
) -> Result<BTreeMap<String, Option<String>>, Failure> {
    let of_system = used.iter().filter(|collation| collation.of_system);
    let mut names: Vec<&str> = of_system.map(|collation| collation.name.name.as_str()).collect();
    names.push(&default.collation);
    let doing = target.doing("look for collations");
    let rows = doing
        .query(include_str!("collations_known.sql"), &[&names, &default.encoding])
        .await?;
    Ok(rows
        .iter()
        .map(|row| (row.get("name"), row.get("actual")))
        .collect())
}

/// The collations made by users that the target can't make.
async fn refused(
    session: &mut Session<Target, Rehearsal>,
    own: &[&Used],
) -> Result<Vec<CollationProblem>, Failure> {
    let mut found = Vec::new();
    let mut rehearsal = session.rehearse().await?;
    for (number, collation) in own.iter().enumerate() {
        let trial = collation.trial(number)?;
        match rehearsal.attempt("try a collation", &trial, &[]).await {
            Ok(_) => {}
            Err(error) if is_about_the_trial(&error) => {}
            Err(error) if error.sqlstate().is_some() => {
                found.push(collation.missing(Some(error.message().to_owned())));
            }
            Err(error) => return Err(error.into()),
        }
    }
    rehearsal.roll_back().await?;
    Ok(found)
}

/// No right to try, or the trial's database has an encoding that does not go with the locale.
fn is_about_the_trial(error: &PgError) -> bool {
    error.code() == Code::PermissionDenied || error.message().contains("encoding")
}

fn order_may_differ(
    used: &[Used],
    default: &Default,
    there: &BTreeMap<String, Option<String>>,
) -> Option<CollationProblem> {
    let own = (default.collation.as_str(), "default".to_owned(), &default.actual);
    let others = used.iter().filter(|collation| collation.of_system);
    let others = others.map(|c| (c.name.name.as_str(), c.short(), &c.actual));
    let collations: Vec<String> = std::iter::once(own)
        .chain(others)
        .filter_map(|(key, name, source)| match (source, there.get(key)) {
            (Some(source), Some(Some(target))) if source != target => {
                Some(format!("{name} ({source}, on the target {target})"))
            }
            _ => None,
        })
        .collect();
    (!collations.is_empty()).then_some(CollationProblem::SortOrderMayDiffer { collations })
}
