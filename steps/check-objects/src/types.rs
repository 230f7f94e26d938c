//! The check `removed-types`.

use pghaul_step::postgres::QualifiedName;
use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Database, Failure, Finding, FindingKind, Severity, async_trait,
    listed, quoted,
};
use serde::Serialize;

const COLUMNS: &str = concat!(include_str!("type_parts.sql"), include_str!("types.sql"));

/// From this version on there is no abstime, reltime and tinterval.
const WITHOUT_ABSTIME: u32 = 120_000;

/// Columns whose values can't travel, or mean something else elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum TypeProblem {
    /// Columns of abstime, reltime or tinterval, which PostgreSQL 12 removed.
    RemovedTypes {
        /// The columns, with their types.
        columns: Vec<String>,
    },
    /// Columns of no type, from before PostgreSQL 10.
    UnknownTypes {
        /// The columns, with their types.
        columns: Vec<String>,
    },
    /// Columns that hold rows of system catalogs or views, which have other columns in other versions.
    SystemRowTypes {
        /// The columns, with their types.
        columns: Vec<String>,
    },
    /// Columns of `regclass` and the like: their values name objects.
    ObjectNames {
        /// The columns, with their types.
        columns: Vec<String>,
    },
}

impl FindingKind for TypeProblem {
    fn severity(&self) -> Severity {
        match self {
            Self::ObjectNames { .. } => Severity::Note,
            _ => Severity::Error,
        }
    }

    fn message(&self) -> String {
        let (count, list) = (self.columns().len(), listed(self.columns()));
        match self {
            Self::RemovedTypes { .. } => {
                format!("PostgreSQL 12 and newer do not have the types of these columns ({count}): {list}")
            }
            Self::UnknownTypes { .. } => {
                format!("columns without a type can't be created any more ({count}): {list}")
            }
            Self::SystemRowTypes { .. } => format!(
                "columns hold rows of system catalogs, which have other columns in the target's version ({count}): {list}"
            ),
            Self::ObjectNames { .. } => format!(
                "values of these columns name objects; one that names an object which the target does not have is \
                 refused there ({count}): {list}"
            ),
        }
    }

    fn hint(&self) -> Option<String> {
        Some(
            match self {
                Self::RemovedTypes { .. } => {
                    "ALTER TABLE … ALTER COLUMN … TYPE timestamptz; for reltime, TYPE interval; tinterval needs two columns"
                }
                Self::UnknownTypes { .. } => "ALTER TABLE … ALTER COLUMN … TYPE text;",
                Self::SystemRowTypes { .. } => "ALTER TABLE … DROP COLUMN …; or keep the row as jsonb: to_jsonb(…)",
                Self::ObjectNames { .. } => {
                    "look for values that are numbers, which name nothing any more; or ALTER TABLE … ALTER COLUMN … TYPE text;"
                }
            }
            .to_owned(),
        )
    }
}

impl TypeProblem {
    fn columns(&self) -> &[String] {
        match self {
            Self::RemovedTypes { columns }
            | Self::UnknownTypes { columns }
            | Self::SystemRowTypes { columns }
            | Self::ObjectNames { columns } => columns,
        }
    }
}

/// The check `removed-types`: can the values of all columns be read by the target?
#[derive(Debug, Clone, Copy)]
pub struct RemovedTypes;

#[async_trait]
impl Check for RemovedTypes {
    type Scope = Database;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "removed-types",
            summary: "the target's version has the types of all columns",
            after: super::AFTER,
        }
    }

    async fn examine(&self, ctx: &CheckContext<Database>) -> Result<Vec<Finding>, Failure> {
        let source = ctx.source().await?;
        let from = source.server_version();
        let doing = source.doing("look for columns of types that do not travel");
        let rows = doing.query(COLUMNS, &[]).await?;
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let to = ctx.target().await?.server_version();
        let mut columns: [Vec<String>; 4] = Default::default();
        let [removed, unknown, row_types, names] = &mut columns;
        for row in &rows {
            let class = match row.get("class") {
                "removed" if to >= WITHOUT_ABSTIME => &mut *removed,
                "unknown" => &mut *unknown,
                "row" if to / 10_000 != from / 10_000 => &mut *row_types,
                "reg" => &mut *names,
                _ => continue,
            };
            let table = QualifiedName::new(row.get::<_, String>("schema"), row.get::<_, String>("name"))?;
            let (column, of_type): (String, String) = (row.get("column_name"), row.get("type"));
            class.push(format!("{}.{} ({of_type})", table.short(), quoted(&column)));
        }
        let [removed, unknown, row_types, names] = columns;
        let found = [
            super::unless_empty(removed, |columns| TypeProblem::RemovedTypes { columns }),
            super::unless_empty(unknown, |columns| TypeProblem::UnknownTypes { columns }),
            super::unless_empty(row_types, |columns| TypeProblem::SystemRowTypes { columns }),
            super::unless_empty(names, |columns| TypeProblem::ObjectNames { columns }),
        ];
        Ok(found
            .iter()
            .flatten()
            .map(|problem| problem.about("removed-types", super::database(ctx)))
            .collect())
    }
}
