//! The check `extensions`: availability, versions, rights. Versions are bent in the source's catalog.

use crate::{Bench, kinds};
use pghaul_step::Severity;
use pghaul_testkit::{ClusterPair, Kind, Settings, shared_pair};

const CATALOG: &str = "set allow_system_table_mods = on; update pg_extension";

fn as_mover(pair: &ClusterPair, databases: &[&str]) -> Bench {
    pair.target.psql(
        "postgres",
        "create role mover login createdb createrole password 'm'",
    );
    let target = pair.target.conninfo_as("mover", "m", "postgres");
    Bench::of(&pair.source.conninfo("postgres"), &target, databases)
}

#[tokio::test]
async fn versions_must_fit() {
    let pair = shared_pair(Kind::Ordinary);
    let database = pair.fresh_database("versions");
    pair.source
        .psql(&database, "create extension hstore; create extension pg_trgm");
    let bench = Bench::new(pair, &[&database]);
    assert_eq!(bench.all().await, [""; 0]);
    let with = async |version: &str| {
        let sql = format!("{CATALOG} set extversion = '{version}' where extname = 'hstore'");
        pair.source.psql(&database, &sql);
        bench.database("extensions", &database).await
    };
    assert_eq!(with("1.4").await, [], "the target's is newer");
    let findings = with("99.0").await;
    assert_eq!(kinds(&findings), ["extension-too-old"]);
    assert_eq!(findings[0].facts["installed"], false);
    assert_eq!(bench.all().await, ["extensions: extension-too-old"]);
    let findings = with("unpackaged").await;
    assert_eq!(kinds(&findings), ["extension-version-unclear"]);
    assert_eq!(findings[0].severity, Severity::Warning);

    pair.target.create_database(&database);
    pair.target.psql(
        &database,
        "create extension hstore version '1.4'; create extension pg_trgm",
    );
    let findings = with("1.5").await;
    assert_eq!(
        kinds(&findings),
        ["extension-too-old"],
        "the one that is installed counts"
    );
    let hint = findings[0].hint.as_ref().unwrap();
    pair.target
        .psql(&database, hint.strip_prefix("in the target database: ").unwrap());
    assert_eq!(with("1.5").await, [], "the hint was right");
}

/// pg_dump leaves out what belongs to an extension, as if its script made it.
#[tokio::test]
async fn relations_that_were_added_to_an_extension_would_be_lost() {
    let pair = shared_pair(Kind::Ordinary);
    let database = pair.fresh_database("members");
    pair.source.psql(
        &database,
        "create extension pg_stat_statements; create extension hstore;
         create table \"My jobs\" (id int primary key); create view seen as select 1; create table other (id int primary key);
         alter extension hstore add table \"My jobs\"; alter extension hstore add view seen;
         alter extension plpgsql add table other",
    );
    let bench = Bench::new(pair, &[&database]);
    let findings = bench.database("extensions", &database).await;
    assert_eq!(kinds(&findings), ["members-added", "members-added"]);
    assert!(findings.iter().all(|finding| finding.severity == Severity::Error));
    let relations = serde_json::json!(["table public.\"My jobs\"", "view public.seen"]);
    assert_eq!(findings[0].facts["relations"], relations);
    assert_eq!(
        findings[1].facts["relations"],
        serde_json::json!(["table public.other"])
    );

    // The same where the target's database has the extensions already.
    pair.target.create_database(&database);
    pair.target.psql(
        &database,
        "create extension pg_stat_statements; create extension hstore version '1.4'",
    );
    let again = bench.database("extensions", &database).await;
    let severities = again.iter().map(|finding| finding.severity);
    let expected = [Severity::Error, Severity::Warning, Severity::Error];
    assert_eq!(
        kinds(&again),
        ["extension-too-old", "members-added", "members-added"]
    );
    assert!(
        severities.eq(expected),
        "another version may have other members: {again:?}"
    );
    pair.target.psql(&database, "alter extension hstore update");

    for finding in &findings {
        let hint = finding.hint.as_ref().unwrap();
        let (_, statements) = hint.split_once(": ").unwrap();
        pair.source.psql(&database, statements);
    }
    assert_eq!(bench.all().await, [""; 0], "the hints were right");
}

#[tokio::test]
async fn a_library_that_cannot_be_loaded_is_found_by_trying() {
    // The servers of npm have PL/Perl's files, but no Perl of theirs to go with it.
    let pair = shared_pair(Kind::Versions(13, 16));
    let files = pair.target.psql(
        "postgres",
        "select count(*) from pg_available_extensions where name = 'plperl'",
    );
    let loads = pair
        .target
        .try_psql("template1", "begin; create extension plperl; rollback");
    if files == "0" || loads.is_ok() {
        println!("skipped: this server has no broken extension");
        return;
    }
    let database = pair.fresh_database("broken");
    pair.source.psql(
        &database,
        &format!("{CATALOG} set extname = 'plperl' where extname = 'plpgsql'"),
    );
    let findings = Bench::new(pair, &[&database])
        .database("extensions", &database)
        .await;
    assert_eq!(kinds(&findings), ["extension-fails"]);
    assert!(findings[0].message.contains("plperl"), "{}", findings[0].message);
}

#[tokio::test]
async fn ordinary_roles_create_what_is_trusted() {
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    pair.source.create_database("app");
    pair.source
        .psql("app", "create extension dblink; create extension hstore");
    let bench = as_mover(&pair, &["app"]);
    // The maintenance database is not ours to try anything in: the rules decide.
    let findings = bench.database("extensions", "app").await;
    assert_eq!(kinds(&findings), ["extension-not-permitted"]);
    assert_eq!(findings[0].facts["extension"], "dblink");

    pair.target
        .psql("postgres", "grant create on database postgres to mover");
    let findings = bench.database("extensions", "app").await;
    assert_eq!(
        kinds(&findings),
        ["extension-not-permitted"],
        "trying says the same"
    );

    pair.target.psql("postgres", "create database app owner mover");
    pair.target.psql("app", "create extension dblink");
    assert_eq!(
        bench.database("extensions", "app").await,
        [],
        "as the hint says: {:?}",
        findings[0].hint
    );
    let left = "select count(*) from pg_extension where extname = 'hstore'";
    assert_eq!(
        pair.target.psql("app", left) + &pair.target.psql("postgres", left),
        "00"
    );
}

#[tokio::test]
async fn lists_of_services_count() {
    let settings = Settings::new().set("extwlist.extensions", "dblink, hstore");
    let pair = ClusterPair::start(Settings::new(), settings);
    pair.source.create_database("app");
    pair.source
        .psql("app", "create extension dblink; create extension hstore");
    let bench = as_mover(&pair, &["app"]);
    assert_eq!(bench.database("extensions", "app").await, []);
    pair.target.restart_with(&[("azure.extensions", "DBLINK")]);
    let findings = bench.database("extensions", "app").await;
    assert_eq!(kinds(&findings), ["extension-not-permitted"]);
    assert_eq!(findings[0].facts["extension"], "hstore");
    assert_eq!(findings[0].facts["setting"], "azure.extensions");
}
