//! The check `removed-objects`.

use pghaul_step::postgres::{ReadOnly, Session, Source, Target};
use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Database, Failure, Finding, FindingKind, Severity, async_trait,
    listed, quoted,
};
use serde::Serialize;
use std::collections::BTreeMap;

/// What newer versions do not have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum RemovedObject {
    /// Tables WITH OIDS: the rows arrive without their oids.
    TablesWithOids {
        /// The tables.
        tables: Vec<String>,
    },
    /// Indexes of the oids of tables WITH OIDS.
    IndexesOfOids {
        /// The indexes.
        indexes: Vec<String>,
    },
    /// Postfix operators, which PostgreSQL 14 removed.
    PostfixOperators {
        /// The operators.
        operators: Vec<String>,
    },
    /// Aggregates and operators over array functions whose types PostgreSQL 14 changed.
    PolymorphicFunctions {
        /// The objects.
        objects: Vec<String>,
    },
    /// Encoding conversions, whose functions have other parameters since PostgreSQL 14.
    EncodingConversions {
        /// The conversions.
        conversions: Vec<String>,
    },
    /// Functions of the type opaque, which PostgreSQL 13 removed.
    OpaqueFunctions {
        /// The functions.
        functions: Vec<String>,
    },
    /// Views that rest on columns of system views which the target does not have.
    SystemColumnsMissing {
        /// The columns.
        columns: Vec<String>,
        /// The views.
        views: Vec<String>,
    },
    /// Settings of the database that the target does not know.
    UnknownSettings {
        /// The database.
        database: String,
        /// The settings.
        settings: Vec<String>,
    },
    /// Settings of functions that the target does not know.
    UnknownSettingsOfFunctions {
        /// The settings.
        settings: Vec<String>,
        /// The functions, with their kind and their parameters' types.
        functions: Vec<String>,
    },
}

impl FindingKind for RemovedObject {
    fn severity(&self) -> Severity {
        match self {
            Self::TablesWithOids { .. } => Severity::Warning,
            _ => Severity::Error,
        }
    }

    fn message(&self) -> String {
        let said = |what: &str, names: &[String]| format!("{what} ({}): {}", names.len(), listed(names));
        match self {
            Self::TablesWithOids { tables } => {
                said("tables WITH OIDS arrive without the oids of their rows", tables)
            }
            Self::IndexesOfOids { indexes } => said(
                "indexes of the column oid, which the target's tables do not have",
                indexes,
            ),
            Self::PostfixOperators { operators } => {
                said("PostgreSQL 14 and newer have no postfix operators", operators)
            }
            Self::PolymorphicFunctions { objects } => said(
                "PostgreSQL 14 and newer have array functions of other types than these objects want",
                objects,
            ),
            Self::EncodingConversions { conversions } => said(
                "functions of encoding conversions have other parameters in PostgreSQL 14 and newer",
                conversions,
            ),
            Self::OpaqueFunctions { functions } => said(
                "PostgreSQL 13 and newer have no type opaque, which these functions use",
                functions,
            ),
            Self::SystemColumnsMissing { columns, views } => format!(
                "the target's system views do not have columns that views rest on ({}): {}; views: {}",
                columns.len(),
                listed(columns),
                listed(views)
            ),
            Self::UnknownSettings { settings, .. } => said(
                "the target does not know settings that the database has",
                settings,
            ),
            Self::UnknownSettingsOfFunctions { settings, functions } => format!(
                "the target does not know settings that functions set ({}): {}; functions: {}",
                settings.len(),
                listed(settings),
                listed(functions)
            ),
        }
    }

    fn hint(&self) -> Option<String> {
        let drop = |kind: &str, names: &[String]| {
            let first = names.first().map(String::as_str).unwrap_or_default();
            format!("drop them and make others afterwards: DROP {kind} {first};")
        };
        Some(match self {
            Self::TablesWithOids { tables } => format!(
                "see that nothing needs them, then: {}",
                each(tables, |table| format!("ALTER TABLE {table} SET WITHOUT OIDS;"))
            ),
            Self::IndexesOfOids { indexes } => each(indexes, |index| format!("DROP INDEX {index};")),
            Self::PostfixOperators { operators } => drop("OPERATOR", operators),
            Self::PolymorphicFunctions { .. } => {
                "drop them, and make them again on the target with anycompatiblearray and anycompatible".to_owned()
            }
            Self::EncodingConversions { conversions } => drop("CONVERSION", conversions),
            Self::OpaqueFunctions { .. } => {
                "create the functions again with trigger, cstring, internal or the type itself in place of opaque".to_owned()
            }
            Self::SystemColumnsMissing { views, .. } => {
                format!("drop the views, and create them anew on the target: DROP VIEW {};", views.join(", "))
            }
            Self::UnknownSettingsOfFunctions { settings, functions } => each(functions, |function| {
                let resets: Vec<String> = settings.iter().map(|setting| format!("RESET {setting}")).collect();
                format!("ALTER {function} {};", resets.join(" "))
            }),
            Self::UnknownSettings { database, settings } => each(settings, |setting| {
                format!("ALTER DATABASE {} RESET {setting};", quoted(database))
            }),
        })
    }
}

/// A statement for each of the first names.
fn each(names: &[String], statement: impl Fn(&str) -> String) -> String {
    let statements: Vec<String> = names.iter().take(5).map(|name| statement(name)).collect();
    let more = if names.len() > statements.len() {
        " …"
    } else {
        ""
    };
    format!("{}{more}", statements.join(" "))
}

/// The check `removed-objects`: has the target's version everything that the schema is made of?
#[derive(Debug, Clone, Copy)]
pub struct RemovedObjects;

#[async_trait]
impl Check for RemovedObjects {
    type Scope = Database;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "removed-objects",
            summary: "the target's version has everything that the schema is made of",
            after: super::AFTER,
        }
    }

    async fn examine(&self, ctx: &CheckContext<Database>) -> Result<Vec<Finding>, Failure> {
        let source = ctx.source().await?;
        let from = source.server_version();
        let mut by_class = objects(&source, ctx.left_out().await?).await?;
        let columns = system_columns(&source).await?;
        let settings = settings(&source).await?;
        let of_functions = settings_of_functions(&source).await?;
        let target = ctx.target().await?;
        let to = target.server_version();
        let mut class = |name: &str, since: u32| {
            let names = by_class.remove(name).unwrap_or_default();
            // A kind of object that the source's version has, and the target's has not.
            if from < since && to >= since {
                names
            } else {
                Vec::new()
            }
        };
        let (postfix, polymorphic) = (class("postfix", 140_000), class("polymorphic", 140_000));
        let (conversion, opaque) = (class("conversion", 140_000), class("opaque", 130_000));
        let index = class("index", 120_000);
        // Rows are copied without their oids whatever the target is.
        let oids = by_class.remove("oids").unwrap_or_default();
        let found = [
            super::unless_empty(oids, |tables| RemovedObject::TablesWithOids { tables }),
            super::unless_empty(index, |indexes| RemovedObject::IndexesOfOids { indexes }),
            super::unless_empty(postfix, |operators| RemovedObject::PostfixOperators { operators }),
            super::unless_empty(polymorphic, |objects| RemovedObject::PolymorphicFunctions {
                objects,
            }),
            super::unless_empty(conversion, |conversions| RemovedObject::EncodingConversions {
                conversions,
            }),
            super::unless_empty(opaque, |functions| RemovedObject::OpaqueFunctions { functions }),
            missing_columns(&target, &columns).await?,
            unknown_settings(ctx, &target, settings).await?,
            unknown_settings_of_functions(&target, of_functions).await?,
        ];
        Ok(found
            .iter()
            .flatten()
            .map(|removed| removed.about("removed-objects", super::database(ctx)))
            .collect())
    }
}

/// By class. What is left out is given as system catalogs and oids.
async fn objects(
    source: &Session<Source, ReadOnly>,
    (catalogs, oids): (Vec<u32>, Vec<u32>),
) -> Result<BTreeMap<String, Vec<String>>, Failure> {
    let doing = source.doing("look for objects that newer versions do not have");
    let mut by_class: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in doing
        .query(include_str!("objects.sql"), &[&catalogs, &oids])
        .await?
    {
        by_class
            .entry(row.get("class"))
            .or_default()
            .push(row.get("name"));
    }
    Ok(by_class)
}

/// A column of a system view, and the views of users that rest on it.
struct SystemColumn {
    schema: String,
    name: String,
    column: String,
    views: Vec<String>,
}

async fn system_columns(source: &Session<Source, ReadOnly>) -> Result<Vec<SystemColumn>, Failure> {
    let doing = source.doing("look for views of system views");
    let rows = doing.query(include_str!("system_columns.sql"), &[]).await?;
    let column = |row: &pghaul_step::postgres::Row| SystemColumn {
        schema: row.get("schema"),
        name: row.get("name"),
        column: row.get("column_name"),
        views: row.get("views"),
    };
    Ok(rows.iter().map(column).collect())
}

async fn missing_columns(
    target: &Session<Target, ReadOnly>,
    used: &[SystemColumn],
) -> Result<Option<RemovedObject>, Failure> {
    if used.is_empty() {
        return Ok(None);
    }
    let part = |part: fn(&SystemColumn) -> &str| used.iter().map(part).collect::<Vec<_>>();
    let doing = target.doing("look for columns of system views");
    let rows = doing
        .query(
            include_str!("system_columns_missing.sql"),
            &[&part(|c| &c.schema), &part(|c| &c.name), &part(|c| &c.column)],
        )
        .await?;
    let positions = rows
        .iter()
        .filter_map(|row| usize::try_from(row.get::<_, i64>(0) - 1).ok());
    let missing: Vec<&SystemColumn> = positions.filter_map(|position| used.get(position)).collect();
    let mut views: Vec<String> = missing.iter().flat_map(|column| column.views.clone()).collect();
    views.sort();
    views.dedup();
    let columns = missing
        .iter()
        .map(|c| format!("{}.{}", c.name, c.column))
        .collect();
    Ok(super::unless_empty(columns, |columns| {
        RemovedObject::SystemColumnsMissing { columns, views }
    }))
}

async fn settings(source: &Session<Source, ReadOnly>) -> Result<Vec<String>, Failure> {
    let doing = source.doing("list the settings of the database");
    let rows = doing.query(include_str!("settings_of_database.sql"), &[]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// The functions of each setting, without those of extensions.
async fn settings_of_functions(
    source: &Session<Source, ReadOnly>,
) -> Result<BTreeMap<String, Vec<String>>, Failure> {
    let doing = source.doing("list the settings of functions");
    let rows = doing
        .query(include_str!("settings_of_functions.sql"), &[])
        .await?;
    Ok(rows
        .iter()
        .map(|row| (row.get("name"), row.get("functions")))
        .collect())
}

async fn unknown_settings_of_functions(
    target: &Session<Target, ReadOnly>,
    mut settings: BTreeMap<String, Vec<String>>,
) -> Result<Option<RemovedObject>, Failure> {
    let names: Vec<String> = settings.keys().cloned().collect();
    if names.is_empty() {
        return Ok(None);
    }
    let doing = target.doing("look for settings");
    let rows = doing
        .query(include_str!("settings_unknown.sql"), &[&names])
        .await?;
    let unknown: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let mut functions: Vec<String> = unknown
        .iter()
        .filter_map(|name| settings.remove(name))
        .flatten()
        .collect();
    functions.sort();
    functions.dedup();
    Ok(super::unless_empty(unknown, |settings| {
        RemovedObject::UnknownSettingsOfFunctions { settings, functions }
    }))
}

async fn unknown_settings(
    ctx: &CheckContext<Database>,
    target: &Session<Target, ReadOnly>,
    settings: Vec<String>,
) -> Result<Option<RemovedObject>, Failure> {
    if settings.is_empty() {
        return Ok(None);
    }
    let doing = target.doing("look for settings");
    let rows = doing
        .query(include_str!("settings_unknown.sql"), &[&settings])
        .await?;
    let unknown = rows.iter().map(|row| row.get(0)).collect();
    Ok(super::unless_empty(unknown, |settings| {
        let database = ctx.database().to_string();
        RemovedObject::UnknownSettings { database, settings }
    }))
}
