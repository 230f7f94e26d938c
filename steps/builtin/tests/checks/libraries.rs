//! The check `libraries`: what functions in C call must be on the target.

use crate::{Bench, kinds};
use pghaul_testkit::{ClusterPair, Settings};

#[tokio::test]
async fn libraries_that_only_the_source_has() {
    let pair = &ClusterPair::start(Settings::new(), Settings::new());
    let database = pair.fresh_database("libraries");
    let pkglibdir = pair.source.psql(
        "postgres",
        "select setting from pg_config where name = 'PKGLIBDIR'",
    );
    let directory = pghaul_testkit::scratch_directory("libraries");
    let library = directory.join("only_here.so");
    std::fs::copy(format!("{pkglibdir}/fuzzystrmatch.so"), &library).unwrap();
    let library = library.to_str().unwrap();
    pair.source.psql(
        &database,
        &format!(
            "create function distance(text, text) returns int language c immutable strict as '{library}', 'levenshtein';
             create function same_there(text, text) returns int language c immutable strict as '$libdir/fuzzystrmatch', 'levenshtein';
             create function adds(int, int) returns int language internal immutable strict as 'int4pl';
             create aggregate total(int) (sfunc = adds, stype = int)"
        ),
    );
    let bench = Bench::new(pair, &[&database]);
    assert_eq!(
        bench.database("libraries", &database).await,
        [],
        "both servers see the file"
    );
    std::fs::remove_file(library).unwrap();
    let findings = bench.database("libraries", &database).await;
    assert_eq!(kinds(&findings), ["library-not-loaded"]);
    assert_eq!(findings[0].facts["library"], library);
    assert_eq!(
        findings[0].facts["functions"],
        serde_json::json!(["public.distance(text,text)"])
    );
    assert!(findings[0].stops_migration());
    pair.source.psql(
        &database,
        "drop aggregate total(int); drop function distance; set allow_system_table_mods = on;
         update pg_proc set prosrc = 'gone' where proname in ('adds', 'same_there')",
    );
    let findings = bench.database("libraries", &database).await;
    assert_eq!(kinds(&findings), ["symbol-missing", "symbol-missing"]);
    assert_eq!(
        findings[0].facts["functions"],
        serde_json::json!(["public.adds(integer,integer)"])
    );

    pair.target
        .psql("postgres", "create role plain login password 'p'");
    let target = pair.target.conninfo_as("plain", "p", "postgres");
    let bench = Bench::of(&pair.source.conninfo("postgres"), &target, &[&database]);
    let findings = bench.database("libraries", &database).await;
    assert_eq!(kinds(&findings), ["not-permitted"]);
}
