//! The check `large-objects`.

use crate::description::READABLE;
use pghaul_contracts::{Contract, LargeObjectsOutput};
use pghaul_step::quantity::{bytes as size_of, more};
use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Database, Failure, Finding, FindingKind, Severity, Subject,
    async_trait, quoted,
};
use serde::Serialize;

/// The check has the name of the step that moves what it finds.
const NAME: &str = LargeObjectsOutput::STEP;

/// Of fewer bytes than these no size is shown: 0.05 MiB.
const FEW_BYTES: u64 = 52_429;

/// Large objects in a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum LargeObjectsFound {
    /// There are some.
    LargeObjects {
        /// The database.
        database: String,
        /// How many.
        count: i64,
        /// Their size, in bytes, with the space that those removed have left.
        bytes: i64,
    },
    /// pghaul's role on the source may not read some of them.
    LargeObjectsUnreadable {
        /// The database.
        database: String,
        /// pghaul's role on the source.
        role: String,
        /// How many.
        count: i64,
        /// The oids of the first of them.
        first: Vec<u32>,
    },
}

impl FindingKind for LargeObjectsFound {
    fn severity(&self) -> Severity {
        match self {
            Self::LargeObjects { .. } => Severity::Note,
            Self::LargeObjectsUnreadable { .. } => Severity::Error,
        }
    }

    fn message(&self) -> String {
        match self {
            Self::LargeObjects { count, bytes, .. } => {
                let are = match count {
                    1 => "is 1 large object".to_owned(),
                    many => format!("are {many} large objects"),
                };
                // The size of so few that they fill no page of their own says nothing.
                let size = match bytes.unsigned_abs() {
                    ..FEW_BYTES => String::new(),
                    many => format!(" of {} together", size_of(many)),
                };
                format!(
                    "there {are}{size}: copied, but not replicated; `pghaul remove` copies what has changed by then"
                )
            }
            Self::LargeObjectsUnreadable {
                role, count, first, ..
            } => {
                let oids: Vec<String> = first.iter().map(u32::to_string).collect();
                let rest = more(*count, first.len());
                format!(
                    "role {} on the source may not read large objects ({count}): {}{rest}",
                    quoted(role),
                    oids.join(", ")
                )
            }
        }
    }

    fn hint(&self) -> Option<String> {
        let Self::LargeObjectsUnreadable {
            database,
            role,
            first,
            ..
        } = self
        else {
            return None;
        };
        let oids: Vec<String> = first.iter().map(u32::to_string).collect();
        Some(format!(
            "on the source, in database {}, as their owner or a superuser: GRANT SELECT ON LARGE OBJECT {} TO {}; or as a \
             superuser for all of them: ALTER ROLE {2} SET lo_compat_privileges = on; or, where nothing refers to them, remove \
             each: SELECT lo_unlink({});",
            quoted(database),
            oids.join(", "),
            quoted(role),
            oids.first().map(String::as_str).unwrap_or_default(),
        ))
    }
}

/// The check `large-objects`: how many are there, and may pghaul's role read them?
#[derive(Debug, Clone, Copy)]
pub struct Readable;

#[async_trait]
impl Check for Readable {
    type Scope = Database;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: NAME,
            summary: "large objects can be read",
            after: &["database-connection"],
        }
    }

    async fn examine(&self, ctx: &CheckContext<Database>) -> Result<Vec<Finding>, Failure> {
        let objects = &ctx.landscape().selection.objects;
        if objects.names_what_is_moved(ctx.database().as_str()) {
            return Ok(Vec::new());
        }
        let session = ctx.source().await?;
        let doing = session.doing("count the large objects");
        let sql = include_str!("found.sql").replace("{readable}", READABLE);
        let row = doing.query_one(&sql, &[]).await?;
        let database = ctx.database().to_string();
        let (count, unreadable): (i64, i64) = (row.get("count"), row.get("unreadable"));
        let mut found = Vec::new();
        if count > 0 {
            found.push(LargeObjectsFound::LargeObjects {
                database: database.clone(),
                count,
                bytes: row.get("bytes"),
            });
        }
        if unreadable > 0 {
            found.push(LargeObjectsFound::LargeObjectsUnreadable {
                database,
                role: row.get("role"),
                count: unreadable,
                first: row.get("first"),
            });
        }
        let subject = Subject::Database(ctx.database().clone());
        let findings = found.iter().map(|found| found.about(NAME, subject.clone()));
        Ok(findings.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_many() {
        let found = |count, bytes| LargeObjectsFound::LargeObjects {
            database: "shop".to_owned(),
            count,
            bytes,
        };
        let copied = "copied, but not replicated; `pghaul remove` copies what has changed by then";
        assert_eq!(
            found(1, 8192).message(),
            format!("there is 1 large object: {copied}")
        );
        assert_eq!(
            found(3, 2 << 20).message(),
            format!("there are 3 large objects of 2.0 MiB together: {copied}")
        );
    }

    #[test]
    fn the_hint_removes_nothing_but_what_it_names() {
        let unreadable = LargeObjectsFound::LargeObjectsUnreadable {
            database: "$(id) *".to_owned(),
            role: "mover".to_owned(),
            count: 7,
            first: vec![1, 2],
        };
        let hint = unreadable.hint().unwrap();
        assert!(
            hint.contains("GRANT SELECT ON LARGE OBJECT 1, 2 TO mover"),
            "{hint}"
        );
        assert!(hint.ends_with("SELECT lo_unlink(1);"), "{hint}");
    }
}
