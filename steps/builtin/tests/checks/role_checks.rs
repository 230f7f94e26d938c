//! The check `roles`. Roles belong to all databases, so these tests start pairs of their own.

use crate::{Bench, kinds};
use pghaul_core::{Finding, Severity};
use pghaul_testkit::{ClusterPair, Settings};
use serde_json::Value;

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
    assert!(
        !format!("{findings:?}").contains("sha1:abc"),
        "no password is told"
    );

    pair.source.psql(
        "postgres",
        "set password_encryption = 'scram-sha-256'; alter role \"Old One\" password 'x'; alter role odd password 'y';
         reassign owned by \"pg_Custom\" to postgres; drop owned by \"pg_Custom\"; drop role \"pg_Custom\"",
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

/// The kinds that the check `role-rehearsal` finds, each with what the target refuses, and the hints.
async fn rehearsed(bench: &Bench) -> (Vec<String>, Vec<String>) {
    let findings = bench.cluster("role-rehearsal").await;
    let objects = |finding: &Finding| {
        let refused = finding.facts.get("refused").and_then(Value::as_array);
        let objects = refused
            .into_iter()
            .flatten()
            .filter_map(|answer| answer.get("object"));
        let objects: Vec<&str> = objects.filter_map(Value::as_str).collect();
        format!("{}: {}", finding.kind, objects.join(", "))
    };
    let hints = findings.iter().filter_map(|finding| finding.hint.clone());
    (findings.iter().map(objects).collect(), hints.collect())
}

#[tokio::test]
async fn what_the_target_does_not_know_of_roles() {
    let source = Settings::new().major(10).set("allow_system_table_mods", "on");
    let pair = ClusterPair::start(source, Settings::new().major(18));
    pair.source.create_database("app");
    let bench = Bench::new(&pair, &["app"]);
    pair.source.psql(
        "postgres",
        "create role plain; comment on role plain is 'nobody'; create role set_up;
         alter role set_up set operator_precedence_warning = on; alter role set_up set work_mem = '5MB';
         alter role set_up set \"some.thing\" = 'x'; create role masked;
         insert into pg_shseclabel values ('masked'::regrole, 'pg_authid'::regclass, 'anon', 'MASKED')",
    );
    let (found, hints) = rehearsed(&bench).await;
    assert_eq!(
        found,
        [
            "settings-refused: setting operator_precedence_warning of role set_up",
            "labels-refused: security label for anon on role masked"
        ]
    );
    assert!(hints[0].contains("ALTER ROLE … RESET"), "{hints:?}");
    let roles = "select count(*) from pg_roles where rolname in ('plain', 'set_up', 'masked')";
    assert_eq!(pair.target.psql("postgres", roles), "0", "nothing is left behind");
}

/// What the hints of the check say is done, until nothing is left but what a superuser alone does.
#[tokio::test]
async fn what_our_role_cannot_give_to_roles() {
    for major in [14, 15, 16, 18] {
        let settings = || Settings::new().major(major);
        let pair = ClusterPair::start(settings(), settings());
        pair.source.create_database("app");
        pair.source.psql(
            "postgres",
            "create role chief; create role team; create role app; grant chief, team, pg_monitor to app;
             alter role app set log_statement = 'all'; alter role app set work_mem = '5MB'; comment on role app is 'the application'",
        );
        pair.target.psql(
            "postgres",
            "create role mover login createrole createdb password 'm'; create role chief superuser",
        );
        if major >= 15 {
            let sql = "grant set on parameter log_statement to app";
            pair.source.psql("postgres", sql);
        }
        let source = pair.source.conninfo("postgres");
        let bench = Bench::of(
            &source,
            &pair.target.conninfo_as("mover", "m", "postgres"),
            &["app"],
        );
        let (found, hints) = rehearsed(&bench).await;
        let of_chief = "membership of role app in chief";
        let memberships = match major {
            16.. => format!("memberships-refused: {of_chief}, membership of role app in pg_monitor"),
            _ => format!("memberships-refused: {of_chief}"),
        };
        let setting = "settings-refused: setting log_statement of role app".to_owned();
        let mut expected = vec![setting, memberships];
        if major >= 15 {
            expected.push("privileges-refused: privilege SET ON PARAMETER log_statement TO app".to_owned());
        }
        assert_eq!(found, expected, "{major}");
        for hint in hints {
            if let Some((_, rest)) = hint.split_once("as a superuser of the target: GRANT ") {
                let (grant, _) = rest.split_once(';').expect("a statement");
                pair.target.psql("postgres", &format!("GRANT {grant}"));
            }
        }
        let (left, _) = rehearsed(&bench).await;
        let mut expected = vec![format!("memberships-refused: {of_chief}")];
        match major {
            15.. => expected.extend(found.last().cloned()),
            _ => expected.insert(0, found[0].clone()),
        }
        assert_eq!(left, expected, "{major}");
        pair.target.psql("postgres", "alter role mover superuser");
        let (left, _) = rehearsed(&bench).await;
        assert_eq!(left, [""; 0], "{major}");
    }
}

/// Services have rules of their own about names and passwords.
#[tokio::test]
async fn a_role_that_the_target_refuses() {
    let target = Settings::new().set("shared_preload_libraries", "passwordcheck");
    let pair = ClusterPair::start(Settings::new(), target);
    pair.source.create_database("app");
    pair.source.psql(
        "postgres",
        "create role before; set password_encryption = 'scram-sha-256'; create role same login password 'same';
         alter role same set work_mem = '5MB'; create role team; grant team to same",
    );
    let bench = Bench::new(&pair, &["app"]);
    assert_eq!(bench.all().await, ["role-rehearsal: roles-refused"]);
    let (found, _) = rehearsed(&bench).await;
    assert_eq!(found, ["roles-refused: role same"], "and nothing of what it has");
    pair.target.psql("postgres", "create role same");
    assert_eq!(rehearsed(&bench).await.0, [""; 0]);
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
