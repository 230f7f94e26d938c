//! The check `roles`. Roles belong to all databases, so these tests start pairs of their own.

use crate::{Bench, kinds};
use pghaul_core::Severity;
use pghaul_testkit::{ClusterPair, Settings};

#[tokio::test]
async fn names_passwords_and_settings() {
    let source = Settings::new().major(10).set("allow_system_table_mods", "on");
    let pair = ClusterPair::start(source, Settings::new().major(18));
    pair.source.create_database("app");
    let bench = Bench::new(&pair, &["app"]);
    assert_eq!(bench.all().await, [""; 0]);
    let changes = [
        (
            "create role renamed; update pg_authid set rolname = 'pg_Custom' where rolname = 'renamed'",
            "reserved-names",
        ),
        ("create role \"Old One\" login password 'x'", "md5-passwords"),
        (
            "create role odd; update pg_authid set rolpassword = 'sha1:abc' where rolname = 'odd'",
            "unknown-passwords",
        ),
        (
            "create role set_up; alter role set_up set operator_precedence_warning = on; alter role set_up set work_mem = '5MB';
             alter role set_up set \"some.thing\" = 'x'",
            "settings-unknown",
        ),
        (
            "create role masked; insert into pg_shseclabel values ('masked'::regrole, 'pg_authid'::regclass, 'anon', 'MASKED')",
            "labels-without-provider",
        ),
    ];
    let mut expected: Vec<String> = Vec::new();
    for (sql, kind) in changes {
        pair.source.psql("postgres", sql);
        expected.push(format!("roles: {kind}"));
        assert_eq!(bench.all().await, expected);
    }
    let findings = bench.cluster("roles").await;
    let hints: Vec<&str> = findings
        .iter()
        .filter_map(|finding| finding.hint.as_deref())
        .collect();
    // Pasted line by line: what the role owns stays, whichever statement fails.
    pair.source.psql(
        "postgres",
        "create table of_custom (i int); alter table of_custom owner to \"pg_Custom\"",
    );
    let (_, statements) = hints[0].split_once("in each database: ").unwrap();
    let (owned, last) = statements.split_once(" then: ").unwrap();
    assert_eq!(last, "DROP ROLE \"pg_Custom\";");
    assert!(
        owned.starts_with("BEGIN; ") && owned.ends_with(" COMMIT;"),
        "{owned}"
    );
    pair.source.psql("postgres", owned);
    pair.source
        .psql("postgres", "select from of_custom; drop table of_custom");
    assert!(hints[1].ends_with("; \\password \"Old One\""), "{hints:?}");
    assert_eq!(
        findings[3].facts["settings"],
        serde_json::json!(["operator_precedence_warning"])
    );
    assert!(
        !format!("{findings:?}").contains("sha1:abc"),
        "no password is told"
    );

    pair.source.psql(
        "postgres",
        "set password_encryption = 'scram-sha-256'; alter role \"Old One\" password 'x'; alter role odd password 'y';
         reassign owned by \"pg_Custom\" to postgres; drop owned by \"pg_Custom\"; drop role \"pg_Custom\"; alter role set_up reset operator_precedence_warning; drop role masked",
    );
    assert_eq!(bench.all().await, [""; 0], "the hints were right");
}

/// `pg_dumpall --roles-only` would alter them.
#[tokio::test]
async fn roles_that_the_target_has_already() {
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    pair.source.create_database("app");
    let both =
        "create role \"App\" login; create role readers; create role same; comment on role same is 'x'";
    pair.source.psql("postgres", both);
    pair.target.psql("postgres", both);
    let bench = Bench::new(&pair, &["app"]);
    assert_eq!(bench.all().await, [""; 0]);
    pair.source.psql(
        "postgres",
        "grant readers to \"App\"; create role new; grant new to \"App\"; alter role \"App\" set \"my.secret\" = 'hush';
         alter role \"App\" createdb; comment on role postgres is 'first'; alter role all set work_mem = '5MB'",
    );
    pair.target
        .psql("postgres", "alter role readers connection limit 1");
    let findings = bench.cluster("roles").await;
    assert_eq!(kinds(&findings), ["roles-differ", "settings-of-all-roles"]);
    let differing = serde_json::json!([
        "\"App\" (CREATEDB, member of readers, setting my.secret)",
        "postgres (comment)",
        "readers (CONNECTION LIMIT)"
    ]);
    assert_eq!(findings[0].facts["roles"], differing);
    assert_eq!(findings[1].facts["settings"], serde_json::json!(["work_mem"]));
    assert!(!format!("{findings:?}").contains("hush"), "no value is shown");
}

/// An application that connects as it would be a superuser there.
#[tokio::test]
async fn an_ordinary_role_with_the_name_of_the_targets_first_role() {
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    pair.source.create_database("app");
    pair.source.psql("postgres", "create role chief login");
    pair.target.psql(
        "postgres",
        "create role second superuser login password 's'; set session authorization second;
         alter role postgres rename to chief",
    );
    let source = pair.source.conninfo("postgres");
    let target = pair.target.conninfo_as("second", "s", "postgres");
    let findings = Bench::of(&source, &target, &["app"]).cluster("roles").await;
    assert_eq!(kinds(&findings), ["roles-differ"]);
    assert_eq!(
        findings[0].facts["roles"],
        serde_json::json!(["chief (SUPERUSER)"])
    );
}

#[tokio::test]
async fn attributes_that_our_role_cannot_give() {
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    pair.source.create_database("app");
    pair.source.psql(
        "postgres",
        "create role admin superuser createdb; create role copier replication; create role known superuser;
         create role rdsadmin superuser; create role plain login password 'p'",
    );
    pair.target.psql(
        "postgres",
        "create role mover login createrole createdb password 'm'; create role known",
    );
    let target = pair.target.conninfo_as("mover", "m", "postgres");
    let source = pair.source.conninfo_as("plain", "p", "postgres");
    let findings = Bench::of(&source, &target, &["app"]).cluster("roles").await;
    assert_eq!(
        kinds(&findings),
        ["attributes-lost", "passwords-hidden", "roles-differ"]
    );
    assert_eq!(
        findings[2].facts["roles"],
        serde_json::json!(["known (SUPERUSER)"])
    );
    assert!(
        findings
            .iter()
            .all(|finding| finding.severity == Severity::Warning)
    );
    assert_eq!(
        findings[0].facts["roles"],
        serde_json::json!(["admin (SUPERUSER)", "copier (REPLICATION)"]),
        "those that are there stay as they are"
    );
    assert_eq!(findings[1].facts["roles"], serde_json::json!(["plain"]));
    let hint = findings[1].hint.as_ref().unwrap();
    let grant = hint
        .strip_prefix("as a superuser of the source: ")
        .unwrap()
        .split(';')
        .next()
        .unwrap();
    pair.source.psql("postgres", grant);
    let findings = Bench::of(&source, &target, &["app"]).cluster("roles").await;
    assert_eq!(
        kinds(&findings),
        ["attributes-lost", "roles-differ"],
        "the hint was right"
    );
}

#[tokio::test]
async fn memberships_that_our_role_cannot_grant() {
    for (major, refused) in [
        (15, vec!["app in chief"]),
        (16, vec!["app in chief", "app in pg_monitor"]),
    ] {
        let settings = || Settings::new().major(major);
        let pair = ClusterPair::start(settings(), settings());
        pair.source.create_database("app");
        pair.source.psql(
            "postgres",
            "create role chief; create role team; create role app; grant chief, team, pg_monitor to app",
        );
        pair.target.psql(
            "postgres",
            "create role mover login createrole createdb password 'm'; create role chief superuser",
        );
        let target = pair.target.conninfo_as("mover", "m", "postgres");
        let found = async || {
            let bench = Bench::of(&pair.source.conninfo("postgres"), &target, &["app"]);
            let findings = bench.cluster("roles").await;
            findings
                .into_iter()
                .find(|finding| finding.kind == "memberships-refused")
        };
        let finding = found().await.expect("a finding");
        assert_eq!(finding.severity, Severity::Warning);
        assert_eq!(
            finding.facts["memberships"],
            serde_json::json!(refused),
            "{major}"
        );
        for role in finding.facts["roles"].as_array().expect("a list") {
            let grant = format!(
                "grant {} to mover with admin option",
                role.as_str().expect("a name")
            );
            pair.target.psql("postgres", &grant);
        }
        let left = found().await.expect("a finding");
        assert_eq!(
            left.facts["memberships"],
            serde_json::json!(["app in chief"]),
            "a superuser, on {major}"
        );
    }
}

#[tokio::test]
async fn superusers_that_a_gatekeeper_refuses() {
    let target = Settings::new().set("aiven.pg_security_agent_reserved_roles", "postgres, chief");
    let pair = ClusterPair::start(Settings::new(), target);
    pair.source.create_database("app");
    let bench = Bench::new(&pair, &["app"]);
    pair.source.psql("postgres", "create role chief superuser");
    assert_eq!(bench.all().await, [""; 0]);
    pair.source.psql("postgres", "create role \"Boss\" superuser");
    assert_eq!(bench.all().await, ["roles: superusers-refused"]);
    let findings = bench.cluster("roles").await;
    assert_eq!(
        findings[0].message,
        "the target lets only postgres, chief be superusers, not these roles of the source (1): Boss"
    );
}
