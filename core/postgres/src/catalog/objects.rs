//! Reads the objects of a database with their dependencies, for a selection of them.

use crate::error::PgError;
use crate::session::{Right, Session, SideMarker};
use pghaul_core::Code;
use pghaul_core::selection::{Dependency, DependencyKind, Graph, Object, ObjectId, ObjectKind};
use tokio_postgres::Row;

/// A few tries: an object that is dropped while it is named makes the statement fail before PostgreSQL 14.
const TRIES: usize = 3;

impl<S: SideMarker, R: Right> Session<S, R> {
    /// Reads every object that a user or an extension has made in this database, and what each depends on, in a transaction
    /// of its own that sees one snapshot. The session must be in none.
    ///
    /// # Errors
    /// A lost connection.
    pub async fn objects(&self) -> Result<Graph, PgError> {
        let mut tries = 1;
        loop {
            self.begin_snapshot().await?;
            let read = self.read_objects().await;
            if read.is_err() && self.is_closed() {
                return read;
            }
            self.end_snapshot().await?;
            match read {
                Err(error) if tries < TRIES && error.sqlstate() == Some("XX000") => tries += 1,
                read => return read,
            }
        }
    }

    async fn read_objects(&self) -> Result<Graph, PgError> {
        let doing = self.doing("read the objects and their dependencies");
        let (objects, dependencies) = tokio::try_join!(
            doing.query(include_str!("objects.sql"), &[]),
            doing.query(include_str!("dependencies.sql"), &[]),
        )?;
        let unknown = |what: String| PgError::new(Code::Bug, self.place(), "read the objects", what);
        let objects = objects.iter().map(object).collect();
        let dependencies = dependencies.iter().map(|row| {
            let kind: &str = row.get(4);
            Ok(Dependency {
                dependent: id(row, 0),
                needed: id(row, 2),
                kind: dependency_kind(kind)
                    .ok_or_else(|| unknown(format!("{kind} is no kind of dependency")))?,
            })
        });
        let dependencies = dependencies.collect::<Result<Vec<_>, PgError>>()?;
        Ok(Graph::new(objects, dependencies))
    }
}

fn id(row: &Row, place: usize) -> ObjectId {
    ObjectId {
        catalog: row.get(place),
        oid: row.get(place + 1),
    }
}

fn object(row: &Row) -> Object {
    let name: Option<String> = row.get("name");
    Object {
        id: id(row, 0),
        kind: kind(row.get("kind")),
        schema: row.get("schema"),
        name: name.unwrap_or_default(),
        table: row.get("table"),
        label: row.get("label"),
    }
}

fn kind(text: &str) -> ObjectKind {
    match text {
        "r" => ObjectKind::Table,
        "p" => ObjectKind::PartitionedTable,
        "v" => ObjectKind::View,
        "m" => ObjectKind::MaterializedView,
        "f" => ObjectKind::ForeignTable,
        "S" => ObjectKind::Sequence,
        "schema" => ObjectKind::Schema,
        "extension" => ObjectKind::Extension,
        "event trigger" => ObjectKind::EventTrigger,
        "publication" => ObjectKind::Publication,
        "published" => ObjectKind::Published,
        "foreign key" => ObjectKind::ForeignKey,
        "inline" => ObjectKind::Inline,
        "trigger" => ObjectKind::Trigger,
        "conversion" => ObjectKind::Conversion,
        _ => ObjectKind::Other,
    }
}

/// `pg_depend.deptype`. `I` is what PostgreSQL 11 has for `P` and `S`.
fn dependency_kind(text: &str) -> Option<DependencyKind> {
    Some(match text {
        "n" => DependencyKind::Normal,
        "a" => DependencyKind::Auto,
        "i" => DependencyKind::Internal,
        "I" | "P" | "S" => DependencyKind::Partition,
        "e" => DependencyKind::Member,
        "x" => DependencyKind::AutoMember,
        _ => return None,
    })
}
