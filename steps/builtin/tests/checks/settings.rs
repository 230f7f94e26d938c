//! Settings and locales that differ, and lock tables that are too small. Settings belong to all databases, so most of
//! these tests start their own pairs.

use crate::{Bench, kinds};
use pghaul_core::{Concern, Severity};
use pghaul_testkit::{ClusterPair, Kind, Settings, shared_pair};

const MANY_TABLES: &str = "do $$ begin for i in 1..350 loop execute 'create table t_' || i || ' (i int primary key)'; \
                           end loop; end $$";

#[tokio::test]
async fn a_lock_table_must_hold_all_tables() {
    let small = || {
        Settings::new()
            .set("max_locks_per_transaction", "10")
            .set("max_connections", "25")
            .set("max_prepared_transactions", "5")
    };
    let pair = ClusterPair::start(small(), small());
    pair.source.create_database("few");
    pair.source.create_database("many");
    pair.source.psql("many", MANY_TABLES);
    let bench = Bench::new(&pair, &["few", "many"]);
    assert_eq!(
        bench.all().await,
        ["lock-table: lock-table-too-small"; 2],
        "source and target"
    );
    let findings = bench.database("lock-table", "many").await;
    assert_eq!(
        (findings[0].severity, findings[0].concern),
        (Severity::Error, Concern::Migration)
    );
    assert_eq!(
        findings[1].concern,
        Concern::Replication,
        "the schema comes in small transactions"
    );
    assert_eq!(
        findings[0].message,
        "pg_dump locks 350 tables of the source at once, whose lock table has room for 300 \
         (max_locks_per_transaction = 10)"
    );
    let needed = findings[0].facts["needed"].to_string();
    pair.source
        .restart_with(&[("max_locks_per_transaction", &needed)]);
    pair.target
        .restart_with(&[("max_locks_per_transaction", &needed)]);
    assert_eq!(
        Bench::new(&pair, &["few", "many"]).all().await,
        [""; 0],
        "the hint was right"
    );
}

#[tokio::test]
async fn settings_that_change_what_data_means() {
    let target = Settings::new()
        .set("timezone", "Asia/Tokyo")
        .set("standard_conforming_strings", "off")
        .set("datestyle", "German");
    let pair = ClusterPair::start(Settings::new(), target);
    pair.source.create_database("app");
    let bench = Bench::new(&pair, &["app"]);
    assert_eq!(bench.all().await, ["settings: setting-differs"; 3]);
    let findings = bench.cluster("settings").await;
    let settings: Vec<&str> = findings
        .iter()
        .filter_map(|f| f.facts["setting"].as_str())
        .collect();
    assert_eq!(settings, ["DateStyle", "TimeZone", "standard_conforming_strings"]);
    for finding in &findings {
        let hint = finding
            .hint
            .as_ref()
            .unwrap()
            .strip_prefix("on the target: ")
            .unwrap();
        for statement in hint.split_inclusive(';') {
            pair.target.psql("postgres", statement);
        }
    }
    pair.target.stop(pghaul_testkit::Stop::Fast);
    pair.target.start_again();
    assert_eq!(bench.cluster("settings").await, [], "the hints were right");
}

#[tokio::test]
async fn settings_that_the_role_may_not_read_are_left_out() {
    let target = Settings::new()
        .set("standard_conforming_strings", "off")
        .set("timezone", "Asia/Tokyo");
    let pair = ClusterPair::start(Settings::new(), target);
    pair.target
        .psql("postgres", "create role plain login password 'plain'");
    let target = pair.target.conninfo_as("plain", "plain", "postgres");
    let bench = Bench::of(&pair.source.conninfo("postgres"), &target, &[]);
    let findings = bench.cluster("settings").await;
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].facts["setting"], "TimeZone");
}

#[tokio::test]
async fn rules_of_time_zones() {
    // PostgreSQL 10 saw its last time zone data in 2022; Kazakhstan changed its time in 2024, Chile made a zone in 2025.
    let pair = ClusterPair::start(Settings::new().major(10), Settings::new().major(18));
    pair.source.create_database("app");
    let bench = Bench::new(&pair, &["app"]);
    pair.source
        .psql("postgres", "alter database app set timezone = 'Europe/Berlin'");
    assert_eq!(bench.cluster("time-zones").await, []);
    pair.source
        .psql("postgres", "alter role postgres set timezone = 'Asia/Almaty'");
    let findings = bench.cluster("time-zones").await;
    assert_eq!(kinds(&findings), ["time-zone-rules-differ"]);
    assert_eq!(findings[0].facts["zones"], serde_json::json!(["Asia/Almaty"]));
    let turned = Bench::of(
        &pair.target.conninfo("postgres"),
        &pair.source.conninfo("postgres"),
        &[],
    );
    pair.target.psql(
        "postgres",
        "alter role postgres set timezone = 'America/Coyhaique'",
    );
    assert_eq!(kinds(&turned.cluster("time-zones").await), ["time-zone-unknown"]);
}

#[tokio::test]
async fn texts_must_fit_into_the_target() {
    let pair = shared_pair(Kind::Ordinary);
    let database = pair.fresh_database("encoding");
    pair.target.psql(
        "postgres",
        &format!("create database {database} encoding 'LATIN1' locale 'C' template template0"),
    );
    let mut bench = Bench::new(pair, &[&database]);
    assert_eq!(bench.all().await, ["encoding: encoding-differs"]);
    let findings = bench.database("encoding", &database).await;
    let hint = findings[0].hint.as_ref().unwrap();
    let rename = hint.find(&format!("ALTER DATABASE {database} RENAME TO"));
    let drop = hint.find(&format!("DROP DATABASE {database}"));
    assert!(rename.is_some() && rename < drop, "{hint}");
    pair.target.psql("postgres", &format!("drop database {database}"));
    pair.target.psql(
        "postgres",
        &format!("create database {database} locale 'C' template template0"),
    );
    assert_eq!(bench.all().await, ["encoding: locale-differs"]);
    let findings = bench.database("encoding", &database).await;
    assert_eq!(findings[0].severity, Severity::Warning);
    assert!(findings[0].hint.is_some());
    bench.landscape.ours = vec![database.as_str().into()];
    let filled = bench.database("encoding", &database).await;
    assert_eq!(
        filled[0].hint, None,
        "nobody is told to drop what the migration fills"
    );
    assert_eq!(
        (&findings[0].facts["source"], &findings[0].facts["target"]),
        (&"C.UTF-8".into(), &"C".into())
    );

    let ascii = pair.fresh_database("ascii");
    pair.source.psql("postgres", &format!("drop database {ascii}"));
    pair.source.psql(
        "postgres",
        &format!("create database {ascii} encoding 'SQL_ASCII' locale 'C' template template0"),
    );
    assert_eq!(Bench::new(pair, &[&ascii]).all().await, ["encoding: sql-ascii"]);
}

#[tokio::test]
async fn collations_that_the_target_lacks() {
    let pair = shared_pair(Kind::Ordinary);
    let database = pair.fresh_database("collations");
    pair.source.psql(
        &database,
        "create collation fine (provider = icu, locale = 'de', deterministic = false);
         create collation \"Only Here\" (locale = 'C.UTF-8');
         create table t (i int primary key, a text collate fine, b text collate \"Only Here\", c text collate \"de-x-icu\")",
    );
    let bench = Bench::new(pair, &[&database]);
    assert_eq!(bench.all().await, [""; 0]);
    let elsewhere = "set allow_system_table_mods = on;
                     update pg_collation set collcollate = 'xx_XX.UTF-8' where collname = 'Only Here'";
    pair.source.psql(&database, elsewhere);
    assert_eq!(bench.all().await, ["collations: collation-missing"]);
    let findings = bench.database("collations", &database).await;
    assert_eq!(findings[0].facts["collation"], "public.\"Only Here\"");
    pair.source.psql(
        &database,
        "drop table t; drop collation \"Only Here\";
         set allow_system_table_mods = on; create table s (i int primary key, c text collate \"de-x-icu\");
         update pg_collation set collname = 'renamed' where collname = 'de-x-icu'",
    );
    let findings = bench.database("collations", &database).await;
    assert_eq!(kinds(&findings), ["collation-missing"]);
    assert_eq!(findings[0].facts["collation"], "renamed");
}

#[tokio::test]
async fn indexes_sorted_by_an_older_library() {
    let pair = shared_pair(Kind::Ordinary);
    let database = pair.fresh_database("sorted");
    pair.source.psql("postgres", &format!("drop database {database}"));
    let icu = format!(
        "create database {database} template template0 locale_provider icu icu_locale 'en' encoding 'UTF8'"
    );
    pair.source.psql("postgres", &icu);
    let bench = Bench::new(pair, &[&database]);
    assert_eq!(bench.all().await, [""; 0]);
    let older = format!(
        "set allow_system_table_mods = on; update pg_database set datcollversion = '1.2' where datname = '{database}'"
    );
    pair.source.psql("postgres", &older);
    assert_eq!(bench.all().await, ["collations: sorted-by-older-version"]);
    let findings = bench.database("collations", &database).await;
    let refresh = format!("ALTER DATABASE {database} REFRESH COLLATION VERSION;");
    assert!(
        findings[0].hint.as_ref().unwrap().contains(&refresh),
        "{findings:?}"
    );
    pair.source.psql("postgres", &refresh);
    assert_eq!(bench.all().await, [""; 0], "the hint was right");
}

#[tokio::test]
async fn libraries_of_different_versions() {
    let pair = shared_pair(Kind::Versions(10, 18));
    let database = pair.fresh_database("libraries");
    pair.source.psql(
        &database,
        "create table t (i int primary key, c text collate \"de-x-icu\", m money, a money[])",
    );
    let bench = Bench::new(pair, &[&database]);
    let findings = bench.database("collations", &database).await;
    assert_eq!(kinds(&findings), ["sort-order-may-differ"]);
    assert_eq!(findings[0].severity, Severity::Note);
    assert_eq!(
        bench.database("money", &database).await,
        [],
        "amounts are written alike"
    );
}
