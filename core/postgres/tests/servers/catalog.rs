//! The catalog of a database, on every version of PostgreSQL that is installed.

use crate::cluster::{server, settings};
use pghaul_core::TableName;
use pghaul_core::catalog::{Catalog, ConstraintKind, Generated, Relation, RelationKind, TriggerState};
use pghaul_core::selection::{Graph, ObjectSelection, Rule, resolve};
use pghaul_postgres::catalog::Detail;
use pghaul_postgres::local::{Binaries, LocalCluster, find_binaries};
use pghaul_postgres::{ReadOnly, ReadWrite, Server, Session, Source};

/// What PostgreSQL 10 knows.
const EVERYWHERE: &str = include_str!("catalog.sql");

/// What later versions know: from which on, and the statement.
const LATER: &[(u32, &str)] = &[
    (11, "ALTER TABLE shop.sales ADD PRIMARY KEY (id, day)"),
    (
        11,
        "ALTER TABLE shop.sales ADD FOREIGN KEY (item) REFERENCES shop.items",
    ),
    (
        12,
        "ALTER TABLE shop.items ADD twice int GENERATED ALWAYS AS (id * 2) STORED",
    ),
    (
        18,
        "ALTER TABLE shop.items ADD thrice int GENERATED ALWAYS AS (id * 3) VIRTUAL",
    ),
];

/// As an interrupted REINDEX … CONCURRENTLY leaves it. A rewrite of the table would make it valid again.
const INVALID: &str =
    "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'shop.items_price_key'::regclass";

/// One installation of each version.
fn installations() -> Vec<Binaries> {
    let mut found = find_binaries();
    found.sort_by_key(|binaries| binaries.major);
    found.dedup_by_key(|binaries| binaries.major);
    found
}

async fn execute(session: &Session<Source, ReadWrite>, statements: &str) {
    for statement in statements.split(";\n") {
        let doing = session.doing("set up");
        doing.execute(statement, &[]).await.unwrap();
    }
}

fn relation<'a>(catalog: &'a Catalog, name: &str) -> &'a Relation {
    catalog.relations.by_name(&TableName::new("shop", name)).unwrap()
}

/// A partition whose concurrent detachment was interrupted: its second transaction waits for a reader, and is cancelled.
async fn leave_detachment_pending(server: &Server<Source>) {
    let reader = server.connect::<ReadWrite>("postgres").await.unwrap();
    let begin = "BEGIN; SELECT FROM shop.sales";
    reader.doing("hold up").batch(begin).await.unwrap();
    let session = server.connect::<ReadWrite>("postgres").await.unwrap();
    let detach = "SET lock_timeout = '500ms'";
    session.doing("detach").batch(detach).await.unwrap();
    let detach = "ALTER TABLE shop.sales DETACH PARTITION shop.sales_2 CONCURRENTLY";
    session.doing("detach").execute(detach, &[]).await.unwrap_err();
}

#[tokio::test]
async fn a_catalog_is_the_same_on_every_version() {
    for binaries in installations() {
        let cluster = LocalCluster::create(&binaries, &settings()).unwrap();
        let server = server(&cluster.conninfo("postgres"));
        let session = server.connect::<ReadWrite>("postgres").await.unwrap();
        execute(&session, EVERYWHERE).await;
        for (_, statement) in LATER.iter().filter(|(since, _)| *since <= binaries.major) {
            execute(&session, statement).await;
        }
        execute(&session, INVALID).await;
        if binaries.major >= 14 {
            leave_detachment_pending(&server).await;
        }
        let reader = server.connect::<ReadOnly>("postgres").await.unwrap();
        let catalog = reader.catalog(Detail::Definitions).await.unwrap();
        holds_relations(&catalog, binaries.major);
        holds_members(&catalog, binaries.major);
        holds_what_is_no_relation(&catalog);
        let sizes = reader.catalog(Detail::Sizes).await.unwrap();
        assert!(relation(&sizes, "items").size.unwrap().bytes >= 8192);
        assert_eq!(relation(&sizes, "items").indexes[0].definition, None);
        holds_dependencies(&reader.objects().await.unwrap(), binaries.major);
        as_an_ordinary_role(&cluster, &session).await;
    }
}

/// What is left out with one table.
fn holds_dependencies(graph: &Graph, major: u32) {
    let mut selection = ObjectSelection::default();
    selection.add(Rule::ExcludeTable, "shop.items".to_owned());
    let selected = resolve(graph, &selection, None, &"postgres".into()).unwrap();
    let left_out: Vec<&str> = selected.left_out.iter().map(|l| l.object.as_str()).collect();
    let mut expected = vec![
        "materialized view shop.totals",
        "table shop.children",
        "table shop.items",
        "view shop.cheap",
    ];
    if major >= 11 {
        expected.insert(1, "table constraint sales_item_fkey on shop.sales");
    }
    assert_eq!(left_out, expected, "{major}");
    assert!(selected.holds_named("shop", "numbers") && !selected.holds_named("shop", "items_id_seq"));
    assert!(
        graph
            .objects()
            .iter()
            .all(|object| !object.label.contains("of_one_session"))
    );
}

fn holds_relations(catalog: &Catalog, major: u32) {
    assert_eq!(catalog.server_version / 10_000, major);
    let names: Vec<String> = catalog
        .relations
        .iter()
        .map(|r| format!("{} {}", r.name.name, r.kind))
        .collect();
    let expected = [
        "cheap view",
        "children table",
        "items table",
        "notes table",
        "sales partitioned-table",
        "sales_1 table",
        "sales_2 table",
        "totals materialized-view",
    ];
    assert_eq!(names, expected);
    let pending = relation(catalog, "sales_2");
    assert_eq!(pending.is_being_detached(), major >= 14);
    let sales = relation(catalog, "sales");
    assert_eq!(relation(catalog, "sales_1").root(), Some(sales.oid));
    assert_eq!(pending.root(), (major < 14).then_some(sales.oid));
    assert_eq!(sales.definition.as_deref(), Some("RANGE (day)"));
    let partition = pending.partition.as_ref().unwrap();
    assert!(partition.bound.as_deref().unwrap().starts_with("FOR VALUES FROM"));
    let notes = relation(catalog, "notes");
    assert!(notes.is_unlogged() && notes.file_node > 0 && notes.owned && notes.readable);
    assert_eq!(
        notes.options.iter().map(|o| &**o).collect::<Vec<_>>(),
        ["fillfactor=70"]
    );
    assert_eq!(
        relation(catalog, "children").inherits,
        [relation(catalog, "items").oid]
    );
    assert!(!relation(catalog, "totals").populated);
    let view = relation(catalog, "cheap");
    assert!(view.kind == RelationKind::View && view.definition.as_deref().unwrap().contains("shop.items"));
}

fn holds_members(catalog: &Catalog, major: u32) {
    let items = relation(catalog, "items");
    let columns: Vec<String> = items
        .columns
        .iter()
        .map(|c| {
            format!(
                "{} {}{}",
                c.name,
                c.type_name,
                if c.not_null { " not null" } else { "" }
            )
        })
        .collect();
    let common = [
        "id integer not null",
        "name character varying(20)",
        "tags text[]",
        "price shop.money_of not null",
    ];
    assert_eq!(columns[..4], common);
    assert_eq!(items.columns[0].identity, Some('d'));
    assert_eq!(items.columns[1].collation.as_deref(), Some("pg_catalog.\"C\""));
    assert_eq!(
        items.columns[1].expression.as_deref(),
        Some("'none'::character varying")
    );
    let generated = |name: &str| {
        items
            .columns
            .iter()
            .find(|c| &*c.name == name)
            .map(|c| c.generated)
    };
    assert_eq!(generated("twice"), (major >= 12).then_some(Generated::Stored));
    assert_eq!(generated("thrice"), (major >= 18).then_some(Generated::Virtual));
    assert_eq!(items.copied_columns().count(), 4);
    let key = items.primary_key().unwrap();
    assert!(key.is_usable_identity() && key.definition.as_deref().unwrap().contains("(id)"));
    let other = items.identity_index().unwrap();
    assert!(&*other.name == "items_price_key" && !other.is_usable_identity());
    let constraint = |name: &str| items.constraints.iter().find(|c| &*c.name == name).unwrap();
    assert!(!constraint("items_price_check").validated);
    assert_eq!(constraint("items_price_check").kind, ConstraintKind::Check);
    let parent = constraint("items_parent_fkey");
    assert_eq!(
        parent.kind,
        ConstraintKind::ForeignKey {
            references: items.oid
        }
    );
    assert!(parent.deferrable && parent.deferred && !parent.of_parent);
    let inherited = |table: &str| {
        relation(catalog, table)
            .constraints
            .iter()
            .filter(|c| c.of_parent)
            .count()
    };
    // The key and, where the detachment has not ended, the foreign key.
    assert_eq!(inherited("sales_1"), if major >= 11 { 2 } else { 0 });
    let trigger = &items.triggers[0];
    assert_eq!((trigger.state, trigger.on_truncate), (TriggerState::Always, true));
    assert_eq!(relation(catalog, "cheap").rules.len(), 1);
}

fn holds_what_is_no_relation(catalog: &Catalog) {
    let sequences: Vec<(&str, bool, i64)> = catalog
        .sequences
        .iter()
        .map(|s| {
            (
                s.name.name.as_str(),
                s.belongs_to.is_some_and(|column| column.identity),
                s.maximum,
            )
        })
        .collect();
    assert_eq!(
        sequences,
        [("items_id_seq", true, 2_147_483_647), ("numbers", false, 99)]
    );
    let numbers = catalog.sequences[1].belongs_to.unwrap();
    assert_eq!(
        (numbers.table, numbers.column),
        (relation(catalog, "notes").oid, 1)
    );
    let schemas: Vec<&str> = catalog.schemas.iter().map(|s| &*s.name).collect();
    assert_eq!(schemas, ["public", "shop"]);
    assert_eq!(&*catalog.extensions[0].name, "plpgsql");
    assert_eq!(&*catalog.event_triggers[0].function, "shop.on_event");
    let named = |name: &str| catalog.types.values().find(|t| &*t.name == name).unwrap();
    let domain = named("shop.money_of");
    assert!(!domain.built_in && domain.parts == [named("numeric").oid]);
    let array = named("text[]");
    assert!(array.array && array.built_in && array.parts == [named("text").oid] && named("text").comparable);
    assert!(!named("json").comparable && named("json").has_binary_form);
}

/// Whoever may connect may read the catalogs, and learns what he may not.
async fn as_an_ordinary_role(cluster: &LocalCluster, superuser: &Session<Source, ReadWrite>) {
    execute(
        superuser,
        "CREATE ROLE ordinary LOGIN;\nGRANT SELECT ON shop.items TO ordinary",
    )
    .await;
    let conninfo = cluster
        .conninfo("postgres")
        .replace("user=postgres", "user=ordinary");
    let session = server(&conninfo).connect::<ReadOnly>("postgres").await.unwrap();
    let catalog = session.catalog(Detail::Definitions).await.unwrap();
    assert!(relation(&catalog, "items").readable && !relation(&catalog, "notes").readable);
    assert!(!relation(&catalog, "items").owned);
    assert!(
        !catalog
            .schemas
            .iter()
            .any(|schema| &*schema.name == "shop" && schema.usable)
    );
    assert!(!catalog.sequences[1].readable);
}

#[tokio::test]
async fn what_is_dropped_meanwhile_is_left_out() {
    let Some(cluster) = crate::cluster::shared() else {
        return;
    };
    crate::cluster::database(&cluster, "dropped").await;
    let server = crate::cluster::superuser(&cluster);
    let application = server.connect::<ReadWrite>("dropped").await.unwrap();
    execute(
        &application,
        "CREATE TABLE public.goes (id int);\nCREATE TABLE public.stays (id int)",
    )
    .await;
    application
        .doing("drop")
        .batch("BEGIN; DROP TABLE public.goes")
        .await
        .unwrap();
    let reader = server.connect::<ReadOnly>("dropped").await.unwrap();
    // Sizes wait for the lock, facts for nobody.
    let facts = reader.catalog(Detail::Facts).await.unwrap();
    assert_eq!(facts.relations.iter().count(), 2);
    let observer = server.connect::<ReadOnly>("dropped").await.unwrap();
    let pid = reader.backend_pid();
    let waits = "SELECT count(*) FROM pg_catalog.pg_locks WHERE NOT granted AND pid = $1";
    let commit = async {
        loop {
            let row = observer.doing("observe").query_one(waits, &[&pid]).await.unwrap();
            if row.get::<_, i64>(0) > 0 {
                break;
            }
            tokio::task::yield_now().await;
        }
        application.doing("drop").batch("COMMIT").await.unwrap();
    };
    let (read, ()) = tokio::join!(reader.catalog(Detail::Sizes), commit);
    let names: Vec<String> = read
        .unwrap()
        .relations
        .iter()
        .map(|r| r.name.to_string())
        .collect();
    assert_eq!(names, ["public.stays"]);
}
