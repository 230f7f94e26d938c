//! The step `roles`.

use crate::journal::InMemory;
use crate::{resolved, server};
use pghaul_core::{Epoch, MigrationId};
use pghaul_roles::{Output, Roles};
use pghaul_step::WayBack;
use pghaul_step::progress::Blind;
use pghaul_step::{Cluster, Context, Faults, Probe, Recorder, RunContext, Step};
use pghaul_testkit::{ClusterPair, Settings, compare, fixtures};
use std::sync::Arc;

const HOSTILE: &str = include_str!("../../../../tests/support/fixtures/hostile_roles.sql");

fn context(journal: &Arc<InMemory>, source: &str, target: &str) -> Context<Cluster> {
    let recorder = Recorder::new(journal.clone(), Arc::new(Faults::default()), Arc::new(Blind));
    let run = RunContext {
        source: server(source),
        target: server(target),
        recorder,
        migration: MigrationId::new("testtest"),
        epoch: Epoch(1),
        state_directory: std::env::temp_dir(),
        way_back: WayBack {
            source: resolved(source),
            from_target: None,
        },
        workers: pghaul_step::Workers::new(1),
        copying: pghaul_step::Copying::default(),
        kept: pghaul_step::Kept::default(),
        accepted: std::sync::OnceLock::new(),
        cancel: tokio_util::sync::CancellationToken::new(),
    };
    Context::new(Arc::new(run), "roles".into(), ())
}

fn pair() -> ClusterPair {
    let pair = ClusterPair::start(Settings::new(), Settings::new().set("log_statement", "all"));
    pair.source.psql("postgres", HOSTILE);
    pair.source.psql(
        "postgres",
        "create role admin superuser createrole replication bypassrls; grant pg_monitor to admin;
         alter role admin set search_path = ''; alter role admin set \"odd.one\" = '';
         alter role admin in database postgres set work_mem = '1MB'",
    );
    pair
}

#[tokio::test]
async fn roles_arrive_exactly_and_only_once() {
    let pair = pair();
    pair.target.psql(
        "postgres",
        "create role \"select\" createdb; comment on role \"select\" is 'of the target'",
    );
    let journal = Arc::new(InMemory::with_step("roles"));
    let ctx = context(
        &journal,
        &pair.source.conninfo("postgres"),
        &pair.target.conninfo("postgres"),
    );
    assert_eq!(Roles.probe(&ctx).await.unwrap(), Probe::Absent);
    let output = Roles.run(&ctx).await.unwrap();
    assert_eq!(
        output.created,
        [fixtures::HOSTILE_ROLE, "admin", "Ünïcode group 🐘"]
    );
    assert_eq!(output.present, 2, "postgres and select");
    assert_eq!(
        (
            output.weakened.len(),
            output.without_password.len(),
            output.left_out.len()
        ),
        (0, 0, 0)
    );
    let different: Vec<String> = compare::roles(&pair.source, &pair.target)
        .into_iter()
        .map(|difference| difference.subject)
        .collect();
    assert_eq!(
        different,
        ["role select"],
        "which was there before and is left as it was"
    );

    assert_eq!(Roles.probe(&ctx).await.unwrap(), Probe::Partial);
    assert_eq!(
        Roles.run(&ctx).await.unwrap(),
        output,
        "once more changes nothing"
    );
    Roles.undo(&ctx).await.unwrap();
    assert_eq!(Roles.run(&ctx).await.unwrap(), output, "roles are kept");

    let log = pair.target.log();
    assert!(log.contains("GRANT"), "statements are logged");
    assert!(!log.contains("SCRAM-SHA-256$"), "but no verifiers");
}

#[tokio::test]
async fn a_killed_run_knows_its_own_roles_again() {
    let pair = pair();
    let journal = Arc::new(InMemory::with_step("roles"));
    let ctx = context(
        &journal,
        &pair.source.conninfo("postgres"),
        &pair.target.conninfo("postgres"),
    );
    // As after a crash between creating the role and noting that it is complete.
    let all =
        serde_json::json!({ "to_create": [fixtures::HOSTILE_ROLE, "admin", "select", "Ünïcode group 🐘"] });
    ctx.record(&all).await.unwrap();
    pair.target.psql(
        "postgres",
        "create role admin superuser createrole replication bypassrls",
    );
    let output = Roles.run(&ctx).await.unwrap();
    assert_eq!(output.created.len(), 4);
    assert_eq!(compare::roles(&pair.source, &pair.target), []);
}

#[tokio::test]
async fn weaker_rights_are_told() {
    let pair = pair();
    pair.source.psql("postgres", "create role reader login password 'r'; grant pg_monitor to reader; alter role reader set log_statement = 'all'");
    pair.target
        .psql("postgres", "create role mover login createrole password 'm'");
    let source = pair.source.conninfo_as("reader", "r", "postgres");
    let target = pair.target.conninfo_as("mover", "m", "postgres");
    let journal = Arc::new(InMemory::with_step("roles"));
    let Output {
        without_password,
        weakened,
        left_out,
        created,
        ..
    } = Roles.run(&context(&journal, &source, &target)).await.unwrap();
    assert_eq!(created.len(), 5);
    assert_eq!(without_password, [fixtures::HOSTILE_ROLE, "reader"]);
    assert_eq!(weakened.len(), 1);
    assert_eq!(weakened[0].role, "admin");
    assert_eq!(weakened[0].attributes, ["SUPERUSER", "REPLICATION", "BYPASSRLS"]);
    let statements: Vec<&str> = left_out.iter().map(|left| left.statement.as_str()).collect();
    assert!(
        statements.contains(&"ALTER ROLE \"reader\" SET \"log_statement\" TO 'all'"),
        "{statements:?}"
    );
}

#[tokio::test]
async fn a_role_that_cannot_be_created_is_named() {
    let pair = pair();
    pair.target
        .psql("postgres", "create role mover login password 'm'");
    let target = pair.target.conninfo_as("mover", "m", "postgres");
    let journal = Arc::new(InMemory::with_step("roles"));
    let failure = Roles
        .run(&context(&journal, &pair.source.conninfo("postgres"), &target))
        .await
        .unwrap_err();
    assert_eq!(
        failure.operation,
        Some(format!("create role {}", fixtures::HOSTILE_ROLE))
    );
    assert_eq!(failure.sqlstate.as_deref(), Some("42501"));
}

#[tokio::test]
async fn roles_of_other_versions() {
    for (from, to) in [(10, 18), (16, 16)] {
        let pair = ClusterPair::start(Settings::new().major(from), Settings::new().major(to));
        pair.source.psql("postgres", HOSTILE);
        if from >= 16 {
            pair.source.psql(
                "postgres",
                "grant pg_monitor to \"select\" with inherit true, set false",
            );
        }
        let journal = Arc::new(InMemory::with_step("roles"));
        let ctx = context(
            &journal,
            &pair.source.conninfo("postgres"),
            &pair.target.conninfo("postgres"),
        );
        let output = Roles.run(&ctx).await.unwrap();
        assert_eq!(
            (output.created.len(), output.left_out),
            (3, vec![]),
            "{from} to {to}"
        );
        assert_eq!(compare::roles(&pair.source, &pair.target), [], "{from} to {to}");
        if from >= 16 {
            let options = "select inherit_option, set_option from pg_auth_members where roleid = 'pg_monitor'::regrole \
                           and member = '\"select\"'::regrole";
            assert_eq!(pair.target.psql("postgres", options), "t|f");
        }
    }
}
