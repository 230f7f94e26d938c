//! Step `publication`: names the tables on the source.

use crate::relation::Tables;
use crate::{Named, aiven, last_name, new_name, or_dump, source_if_there};
use async_trait::async_trait;
use pghaul_contracts::{
    FirstPublished, Generation, Generations, KeysOutput, PublicationOutput, PublicationVersion,
    SnapshotCopyOutput, SnapshotIndexesOutput,
};
use pghaul_step::plan::RelationKind;
use pghaul_step::postgres::{Ident, PgError, QualifiedName, ReadWrite, Right, Session, Source, literal};
use pghaul_step::step::REPLICATION;
use pghaul_step::{
    Context, Contract, Database, Descriptor, Failure, Probe, Route, Step, StepPhase, TableName, TablePlan,
};
use std::collections::BTreeSet;

/// The step.
#[derive(Debug)]
pub struct Publication(pub Generation);

/// Reads the version of a publication, where there is one.
pub(crate) async fn version<R: Right>(
    source: &Session<Source, R>,
    name: &str,
) -> Result<Option<PublicationVersion>, Failure> {
    let sql = "SELECT p.oid, p.xmin::text AS row FROM pg_catalog.pg_publication p WHERE p.pubname = $1";
    let doing = source.doing("read the publication's version");
    let row = doing.query_opt(sql, &[&name]).await?;
    Ok(row.map(|row| PublicationVersion {
        oid: row.get("oid"),
        row: row.get("row"),
    }))
}

#[async_trait]
impl Step for Publication {
    type Scope = Database;
    type Output = PublicationOutput;

    fn descriptor(&self) -> Descriptor {
        let (routes, after, summary): (&[Route], &[&str], _) = match self.0 {
            Generation::First => (
                REPLICATION,
                &[KeysOutput::STEP],
                "publishes the tables on the source",
            ),
            Generation::Second => (
                &[Route::ReplicationBySnapshot],
                &[SnapshotCopyOutput::STEP, SnapshotIndexesOutput::STEP],
                "publishes the tables that are left, where pghaul copies them",
            ),
        };
        Descriptor {
            routes,
            after,
            ..self.0.descriptor::<PublicationOutput>(summary, StepPhase::Data)
        }
    }

    fn is_needed(&self, ctx: &Context<Database>) -> Result<bool, Failure> {
        self.0.is_there(ctx)
    }

    async fn probe(&self, ctx: &Context<Database>) -> Result<Probe<PublicationOutput>, Failure> {
        let Some(name) = last_name(ctx)? else {
            return Ok(Probe::Absent);
        };
        let source = ctx.source().await?;
        Ok(if source.publication(&name).await?.is_some() {
            Probe::Present(output(ctx, &source, name).await?)
        } else {
            Probe::Partial
        })
    }

    async fn run(&self, ctx: &Context<Database>) -> Result<PublicationOutput, Failure> {
        let name = new_name(ctx, self.0).await?;
        let mut source = ctx.source_for_writing().await?;
        let generations = Generations::of(ctx)?;
        let tables: Vec<&TablePlan> = ctx
            .plan()
            .replicated()
            .filter(|table| generations.of_table(table) == self.0)
            .collect();
        let create = statement(&name, tables.iter().copied(), source.server_version())?;
        let tag = tag(ctx, &name)?;
        let created = ctx
            .act("create the publication", commit(&mut source, &create, &tag))
            .await;
        match created {
            Err(error) if aiven::is_refused(&error) && aiven::is_usable(&source).await? => {
                let create = commit_with_help(&mut source, &name, &tables, &tag);
                ctx.act("create the publication", create).await?;
            }
            created => created.map_err(or_dump)?,
        }
        output(ctx, &source, name).await
    }

    async fn undo(&self, ctx: &Context<Database>) -> Result<(), Failure> {
        let Some(source) = source_if_there(ctx).await? else {
            return Ok(());
        };
        for named in ctx.facts::<Named>()? {
            let drop = format!("DROP PUBLICATION IF EXISTS {}", Ident::new(named.name)?);
            let doing = source.doing("drop the publication");
            ctx.act("drop the publication", doing.batch(&drop)).await?;
        }
        Ok(())
    }
}

/// What is there now. Before the slot is created, nothing has been sent yet that this could miss.
async fn output<R: Right>(
    ctx: &Context<Database>,
    source: &Session<Source, R>,
    name: String,
) -> Result<PublicationOutput, Failure> {
    let version = version(source, &name).await?;
    let tables = Tables::read(source, &[&name]).await?.baseline(ctx);
    let first = version.map(|version| FirstPublished { version, tables });
    Ok(PublicationOutput { name, first })
}

/// SHARE UPDATE EXCLUSIVE on each table: nobody's reads and writes wait for it, but we may have to wait for a VACUUM or
/// an ALTER TABLE; then the step is tried again.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '5s'";

async fn commit(source: &mut Session<Source, ReadWrite>, create: &str, tag: &str) -> Result<(), PgError> {
    let transaction = source.transaction().await?;
    let doing = transaction.doing("create the publication");
    doing.batch(LOCK_TIMEOUT).await?;
    doing.batch(create).await?;
    doing.batch(tag).await?;
    transaction.commit().await
}

/// The same by the functions of aiven_extras.
async fn commit_with_help(
    source: &mut Session<Source, ReadWrite>,
    name: &str,
    tables: &[&TablePlan],
    tag: &str,
) -> Result<(), Failure> {
    let version = source.server_version();
    let transaction = source.transaction().await?;
    let doing = transaction.doing("create the publication");
    doing.batch(LOCK_TIMEOUT).await?;
    aiven::create_publication(&transaction, name, tables, version).await?;
    doing.batch(tag).await.map_err(or_dump)?;
    transaction.commit().await?;
    Ok(())
}

fn tag(ctx: &Context<Database>, name: &str) -> Result<String, Failure> {
    comment(name, &format!("pghaul migration {}", ctx.migration()))
}

/// What follows the tag in the comment of a publication that has marks of proofs.
const MARKS: &str = ", proven up to ";

/// Writes the marks of proofs, and nothing else, into the comment of a publication. False where the server does not let
/// pghaul's role do that.
pub(crate) async fn set_marks(
    ctx: &Context<Database>,
    name: &str,
    marks: &[String],
) -> Result<bool, Failure> {
    let text = format!("pghaul migration {}{MARKS}{}", ctx.migration(), marks.join(" "));
    let mut source = ctx.source_for_writing().await?;
    let statement = comment(name, &text)?;
    let set = async {
        let transaction = source.transaction().await?;
        let doing = transaction.doing("mark the proof on the source");
        doing.batch(LOCK_TIMEOUT).await?;
        doing.batch(&statement).await?;
        transaction.commit().await
    };
    match ctx.act("mark the proof on the source", set).await {
        Ok(()) => Ok(true),
        // 42501 insufficient_privilege, 25006 read_only_sql_transaction, 55P03 lock_not_available
        Err(error) if matches!(error.sqlstate(), Some("42501" | "25006" | "55P03")) => {
            tracing::debug!(%error, "the source has no mark of this proof");
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

/// The marks in the comment of a publication.
pub(crate) async fn marks<R: Right>(
    source: &Session<Source, R>,
    name: &str,
) -> Result<BTreeSet<String>, Failure> {
    let sql = "SELECT pg_catalog.obj_description(p.oid, 'pg_publication') FROM pg_catalog.pg_publication p WHERE p.pubname = $1";
    let doing = source.doing("read the marks of proofs");
    let row = doing.query_opt(sql, &[&name]).await?;
    let comment: Option<String> = row.and_then(|row| row.get(0));
    let marks = comment.as_deref().and_then(|comment| comment.split_once(MARKS));
    Ok(marks
        .map(|(_, marks)| marks.split(' ').map(str::to_owned).collect())
        .unwrap_or_default())
}

fn comment(name: &str, comment: &str) -> Result<String, Failure> {
    Ok(format!(
        "COMMENT ON PUBLICATION {} IS {}",
        Ident::new(name)?,
        literal(comment)?
    ))
}

fn statement<'p>(
    name: &str,
    tables: impl Iterator<Item = &'p TablePlan>,
    source_version: u32,
) -> Result<String, Failure> {
    let tables = tables.map(listed).collect::<Result<Vec<_>, Failure>>()?;
    let list = if tables.is_empty() {
        String::new()
    } else {
        format!(" FOR TABLE {}", tables.join(", "))
    };
    let options = match source_version {
        130_000.. => "publish = 'insert, update, delete, truncate', publish_via_partition_root = true",
        110_000.. => "publish = 'insert, update, delete, truncate'",
        _ => "publish = 'insert, update, delete'",
    };
    Ok(format!(
        "CREATE PUBLICATION {}{list} WITH ({options})",
        Ident::new(name)?
    ))
}

/// A table as a publication lists it. Children of a plain table are tables of their own in the plan; those of a
/// partitioned one belong to it.
fn listed(table: &TablePlan) -> Result<String, Failure> {
    let qualified = QualifiedName::try_from(&table.name)?;
    let only = if table.kind == RelationKind::PartitionedTable {
        ""
    } else {
        "ONLY "
    };
    Ok(format!("{only}{qualified}"))
}

/// Takes tables out of a publication or puts them back, as far as they are not out or in already.
pub(crate) async fn alter(
    ctx: &Context<Database>,
    generation: Generation,
    verb: Alter,
    numbers: &BTreeSet<u32>,
) -> Result<(), Failure> {
    let name = generation.finished::<PublicationOutput>(ctx)?.name;
    let mut source = ctx.source_for_writing().await?;
    let published = published(&source, &name).await?;
    let tables: Vec<String> = ctx
        .plan()
        .replicated()
        .filter(|t| numbers.contains(&t.number))
        .filter(|t| published.contains(&t.name) == (verb == Alter::Drop))
        .map(listed)
        .collect::<Result<_, _>>()?;
    if tables.is_empty() {
        return Ok(());
    }
    let alter = format!(
        "ALTER PUBLICATION {} {verb} TABLE {}",
        Ident::new(name)?,
        tables.join(", ")
    );
    let altered = async {
        let transaction = source.transaction().await?;
        let doing = transaction.doing("alter the publication");
        doing.batch(LOCK_TIMEOUT).await?;
        doing.batch(&alter).await?;
        transaction.commit().await?;
        Ok::<_, Failure>(())
    };
    ctx.act("alter the publication", altered).await
}

/// What is done to the tables of a publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display)]
#[strum(serialize_all = "UPPERCASE")]
pub(crate) enum Alter {
    Add,
    Drop,
}

/// The tables of a publication, as its subscribers see them.
async fn published<R: Right>(
    session: &Session<Source, R>,
    name: &str,
) -> Result<BTreeSet<TableName>, Failure> {
    let doing = session.doing("read the publication's tables");
    let rows = doing.query(include_str!("published.sql"), &[&name]).await?;
    Ok(rows
        .iter()
        .map(|row| TableName::new(row.get::<_, String>("schema"), row.get::<_, String>("name")))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use pghaul_step::TableClass;

    #[test]
    fn tables_are_listed_one_by_one() {
        let table = |name: &str, kind| TablePlan {
            number: 1,
            name: TableName::new("my schema", name),
            kind,
            class: TableClass::Replicate,
            root: None,
        };
        let tables = [
            table("a\"b", RelationKind::Table),
            table("p", RelationKind::PartitionedTable),
        ];
        assert_eq!(
            statement("pghaul_x_1_g1a1", tables.iter(), 150_000).unwrap(),
            "CREATE PUBLICATION \"pghaul_x_1_g1a1\" FOR TABLE ONLY \"my schema\".\"a\"\"b\", \"my schema\".\"p\" \
             WITH (publish = 'insert, update, delete, truncate', publish_via_partition_root = true)"
        );
        assert_eq!(
            statement("p", [].iter(), 100_000).unwrap(),
            "CREATE PUBLICATION \"p\" WITH (publish = 'insert, update, delete')"
        );
    }
}
