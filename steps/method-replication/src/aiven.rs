//! `aiven_extras`: publishes and subscribes where pghaul's role may not, as on Aiven.
//!
//! Its functions act as a superuser. They are used only after PostgreSQL has refused the ordinary statement, and only
//! where the extension is installed and pghaul's role may use its schema. What they can't do is told in
//! `docs/explanation/how-replication-works.md`.

use pghaul_step::plan::RelationKind;
use pghaul_step::postgres::{
    PgError, QualifiedName, Right, Session, SideMarker, Source, Target, Transaction, literal,
};
use pghaul_step::{Code, Failure, Side, TableName, TablePlan};
use std::collections::BTreeSet;

/// Whether a statement was refused for lack of a right.
pub(crate) fn is_refused(error: &PgError) -> bool {
    error.sqlstate() == Some("42501")
}

/// Whether the extension is installed in the session's database, and pghaul's role may use it.
pub(crate) async fn is_usable<S: SideMarker, R: Right>(session: &Session<S, R>) -> Result<bool, Failure> {
    let sql = "SELECT pg_catalog.has_schema_privilege(extnamespace, 'USAGE') FROM pg_catalog.pg_extension \
               WHERE extname = 'aiven_extras'";
    let doing = session.doing("look for aiven_extras");
    Ok(doing.query_opt(sql, &[]).await?.is_some_and(|row| row.get(0)))
}

/// Creates a publication that belongs to pghaul's role. It must list exactly the given tables: the extension can't say
/// ONLY, so children of a table that is no partitioned one come with it.
///
/// # Errors
/// [`Code::ReplicationImpossible`] where it can't be exact; the transaction can only be rolled back then.
pub(crate) async fn create_publication(
    transaction: &Transaction<'_, Source>,
    name: &str,
    tables: &[&TablePlan],
    source_version: u32,
) -> Result<(), Failure> {
    let mut names = Vec::with_capacity(tables.len());
    for table in tables {
        names.push(plain_name(table)?);
    }
    let publish = if source_version >= 110_000 {
        "INSERT,UPDATE,DELETE,TRUNCATE"
    } else {
        "INSERT,UPDATE,DELETE"
    };
    let doing = transaction.doing("create the publication with aiven_extras");
    let sql = "SELECT aiven_extras.pg_create_publication($1::text, $2::text, VARIADIC $3::text[])";
    let created = doing.execute(sql, &[&name, &publish, &names]).await;
    created.map_err(crate::or_dump)?;
    if tables.iter().any(|t| t.kind == RelationKind::PartitionedTable) {
        let ident = pghaul_step::postgres::Ident::new(name)?;
        let alter = format!("ALTER PUBLICATION {ident} SET (publish_via_partition_root = true)");
        doing.batch(&alter).await.map_err(crate::or_dump)?;
    }
    let rows = doing.query(include_str!("published.sql"), &[&name]).await?;
    let published: BTreeSet<TableName> = rows
        .iter()
        .map(|row| TableName::new(row.get::<_, String>("schema"), row.get::<_, String>("name")))
        .collect();
    let wanted = tables.iter().map(|t| t.name.clone());
    if published == wanted.collect() {
        return Ok(());
    }
    Err(inexact(
        "aiven_extras would publish other tables than the planned ones: children of a table come with it",
    ))
}

/// The extension takes names apart by their dots and knows no quotes.
fn plain_name(table: &TablePlan) -> Result<String, Failure> {
    let is_plain = |text: &str| {
        let mut letters = text.chars();
        letters.next().is_some_and(|c| c.is_ascii_lowercase() || c == '_')
            && letters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    if is_plain(&table.name.schema) && is_plain(&table.name.name) {
        return Ok(table.name.to_string());
    }
    let quoted = QualifiedName::try_from(&table.name)?;
    Err(inexact(&format!(
        "aiven_extras can't publish table {quoted}, whose name needs quotes"
    )))
}

fn inexact(message: &str) -> Failure {
    let failure = Failure::new(Code::ReplicationImpossible, message)
        .with_side(Side::Source)
        .with_hint("make the role the owner of the tables, then no help of aiven_extras is needed");
    crate::impossible(failure)
}

/// Creates a subscription that belongs to the extension's superuser and is enabled at once.
///
/// # Errors
/// What the server says.
pub(crate) async fn create_subscription(
    transaction: &Transaction<'_, Target>,
    [name, conninfo, publication, slot]: [&str; 4],
    copy_data: bool,
) -> Result<Result<(), PgError>, Failure> {
    let sql = format!(
        "SELECT aiven_extras.pg_create_subscription({}, {}, {}, {}, false, {copy_data})",
        literal(name)?,
        literal(conninfo)?,
        literal(publication)?,
        literal(slot)?,
    );
    Ok(transaction
        .batch_secretly("create the subscription with aiven_extras", &sql)
        .await)
}

/// Whether the extension has made a subscription for us: it belongs to a superuser then, and is not ours to alter.
pub(crate) async fn has_made<R: Right>(
    session: &Session<Target, R>,
    subscription: &str,
) -> Result<bool, Failure> {
    let sql = "SELECT NOT pg_catalog.pg_has_role(subowner, 'USAGE') FROM pg_catalog.pg_subscription \
               WHERE subname = $1 AND subdbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())";
    let doing = session.doing("look whose the subscription is");
    Ok(doing
        .query_opt(sql, &[&subscription])
        .await?
        .is_some_and(|row| row.get(0)))
}
