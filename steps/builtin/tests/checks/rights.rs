//! Checks as roles that may not do everything. They start a pair of their own: roles belong to all databases.

use crate::{Bench, kinds};
use pghaul_step::{Concern, Subject};
use pghaul_testkit::{ClusterPair, Settings, fixtures};

fn pair() -> ClusterPair {
    ClusterPair::start(Settings::new(), Settings::new())
}

#[tokio::test]
async fn hidden_rows_and_missing_privileges() {
    let pair = pair();
    pair.source.create_database("app");
    fixtures::rowsec(&pair.source, "app");
    let source = pair.source.conninfo_as("rowsec_reader", "rowsec", "postgres");
    let bench = Bench::of(&source, &pair.target.conninfo("postgres"), &["app"]);
    let findings = bench.database("row-security", "app").await;
    let objects: Vec<String> = findings
        .iter()
        .map(|finding| finding.subject.to_string())
        .collect();
    let wanted = [
        "table \"public\".\"forced\" in database app",
        "table \"public\".\"tenant_data\" in database app",
    ];
    assert_eq!(objects, wanted);
    assert_eq!(bench.database("privileges", "app").await, []);

    pair.source.psql(
        "app",
        "create schema shut; create table shut.t (i serial primary key)",
    );
    let findings = bench.database("privileges", "app").await;
    assert_eq!(kinds(&findings), ["no-usage", "no-select", "no-select"]);
    let hints: Vec<&str> = findings
        .iter()
        .filter_map(|finding| finding.hint.as_deref())
        .collect();
    for hint in hints {
        pair.source.psql("app", hint);
    }
    assert_eq!(
        bench.database("privileges", "app").await,
        [],
        "the hints were right"
    );

    pair.source.psql(
        "app",
        "do $$ begin for i in 1..25 loop execute 'create table many_' || i || '()'; end loop; end $$",
    );
    let findings = bench.database("privileges", "app").await;
    assert_eq!(findings.len(), 21);
    assert_eq!(findings[20].kind, "more-privileges-missing");
    assert_eq!(findings[20].facts["more"], 5);
}

#[tokio::test]
async fn what_a_role_may_not_do_on_the_source() {
    let pair = pair();
    pair.source.create_database("app");
    pair.source.psql("app", "create role plain login password 'plain'; create table t (i int primary key); create table keyless ()");
    let source = pair.source.conninfo_as("plain", "plain", "postgres");
    let bench = Bench::of(&source, &pair.target.conninfo("postgres"), &["app"]);
    let findings = bench.cluster("replication-source").await;
    assert_eq!(kinds(&findings), ["role-may-not-replicate"]);
    assert_eq!(findings[0].concern, Concern::Replication);
    let findings = bench.database("replication-database", "app").await;
    assert_eq!(kinds(&findings), ["not-owner", "no-create-privilege"]);
    assert_eq!(
        findings[0].facts["tables"],
        serde_json::json!(["public.t"]),
        "the keyless is not published"
    );

    pair.source.psql("postgres", "alter role plain replication; grant create on database app to plain; create role team; grant team to plain");
    pair.source.psql("app", "alter table t owner to team");
    assert_eq!(bench.cluster("replication-source").await, []);
    assert_eq!(bench.database("replication-database", "app").await, []);
    // A membership does not help a role that does not inherit.
    pair.source.psql("app", "revoke team from plain; alter role plain noinherit; alter table t enable row level security; grant select on t to plain");
    for check in ["replication-database", "row-security"] {
        let findings = bench.database(check, "app").await;
        let hint = findings[0].hint.as_ref().unwrap();
        let statements = hint.split(": ").last().unwrap();
        pair.source.psql(
            "app",
            statements.trim_end_matches(" or connect to the source as a superuser"),
        );
        assert_eq!(
            bench.database(check, "app").await,
            [],
            "the hint was right: {hint}"
        );
        pair.source
            .psql("app", "revoke team from plain; alter role plain noinherit");
    }
    pair.source.psql(
        "app",
        "grant team to plain; alter role plain inherit; alter table t disable row level security",
    );

    pair.source
        .psql("postgres", "revoke connect on database app from public");
    let findings = bench.database("database-connection", "app").await;
    assert_eq!(kinds(&findings), ["no-connect-privilege"]);
    assert_eq!(
        findings[0].hint.as_deref(),
        Some("on the source: GRANT CONNECT ON DATABASE app TO plain;")
    );
}

#[tokio::test]
async fn what_a_role_may_not_do_on_the_target() {
    let pair = pair();
    pair.source.create_database("app");
    pair.source.psql("app", "create role \"App Owner\"");
    pair.target
        .psql("postgres", "create role plain login password 'plain'");
    let target = pair.target.conninfo_as("plain", "plain", "postgres");
    let bench = Bench::of(&pair.source.conninfo("postgres"), &target, &["app"]);
    let findings = bench.cluster("target-rights").await;
    assert_eq!(
        kinds(&findings),
        ["cannot-create-databases", "cannot-create-roles"]
    );
    assert_eq!(
        findings[0].hint.as_deref(),
        Some("ALTER ROLE plain CREATEDB; or: CREATE DATABASE app OWNER plain;")
    );
    assert_eq!(
        findings[1].hint.as_deref(),
        Some("ALTER ROLE plain CREATEROLE; or: CREATE ROLE \"App Owner\";")
    );
    let findings = bench.cluster("replication-target").await;
    assert_eq!(kinds(&findings), ["cannot-subscribe"]);
    assert_eq!(findings[0].subject, Subject::Cluster);

    pair.target.psql("postgres", "create role \"App Owner\"");
    pair.target.create_database("app");
    assert_eq!(bench.cluster("target-rights").await, []);
    assert_eq!(
        kinds(&bench.database("replication-database", "app").await),
        ["no-create-privilege"]
    );
}

#[tokio::test]
async fn options_of_user_mappings_that_a_role_may_not_read() {
    let pair = pair();
    pair.source.create_database("app");
    pair.source.psql(
        "app",
        "create role reader login password 'r'; create role other; create foreign data wrapper w;
         create server own foreign data wrapper w; grant usage on foreign server own to reader;
         create server far foreign data wrapper w;
         create user mapping for reader server own options (password 'visible');
         create user mapping for other server far options (password 's3cret');
         create user mapping for public server far options (password 's3cret')",
    );
    let target = pair.target.conninfo("postgres");
    let source = pair.source.conninfo_as("reader", "r", "postgres");
    let findings = Bench::of(&source, &target, &["app"])
        .database("user-mappings", "app")
        .await;
    assert_eq!(kinds(&findings), ["options-hidden"]);
    let mappings = ["other on server far", "PUBLIC on server far"];
    assert_eq!(findings[0].facts["mappings"], serde_json::json!(mappings));
    assert!(!serde_json::to_string(&findings).unwrap().contains("s3cret"));
    let bench = Bench::of(&pair.source.conninfo("postgres"), &target, &["app"]);
    assert_eq!(bench.database("user-mappings", "app").await, []);
}

#[tokio::test]
async fn large_objects_that_a_role_may_not_read() {
    let pair = pair();
    pair.source.create_database("app");
    pair.source.psql(
        "app",
        "create role plain login password 'plain'; create role readers; grant readers to plain;
         select lo_create(n) from generate_series(1, 9) n;
         grant select on large object 1 to public; grant select on large object 2 to readers;
         alter large object 3 owner to plain; alter large object 4 owner to plain; revoke all on large object 4 from plain",
    );
    let source = pair.source.conninfo_as("plain", "plain", "postgres");
    let bench = Bench::of(&source, &pair.target.conninfo("postgres"), &["app"]);
    let findings = bench.database("large-objects", "app").await;
    assert_eq!(kinds(&findings), ["large-objects", "large-objects-unreadable"]);
    assert_eq!(findings[1].facts["count"], 6);
    assert_eq!(findings[1].facts["first"], serde_json::json!([4, 5, 6, 7, 8]));
    pair.source
        .psql("postgres", "alter role plain set lo_compat_privileges = on");
    assert_eq!(
        kinds(&bench.database("large-objects", "app").await),
        ["large-objects"]
    );
}
