//! The check and the step on real servers: SOURCE and TARGET are conninfos of two databases that are equally filled, with a table.

use pghaul_step::check::Landscape;
use pghaul_step::conformance::{Bench, plan};
use pghaul_step::plan::RelationKind;
use pghaul_step::postgres::{ConnInfo, Environment, Server, SideMarker};
use pghaul_step::{Check, CheckContext, Method, TableClass, TableName, TablePlan};
use shop_haul::{GrantReader, SizeLimit};
use std::sync::Arc;

/// The server that a variable names; a test without servers has nothing to say.
fn server<S: SideMarker>(variable: &str) -> Option<Server<S>> {
    let conninfo = ConnInfo::parse(&std::env::var(variable).ok()?).expect("a conninfo");
    let resolved = conninfo
        .resolve(&Environment::from_process())
        .expect("a complete conninfo");
    Some(Server::new(resolved, "shop-haul tests", 4))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_too_large_is_found() {
    let (Some(source), Some(target)) = (server("SOURCE"), server("TARGET")) else {
        return;
    };
    let database = source.resolved().database().into();
    let context = CheckContext::new(source, target, Arc::new(Landscape::default())).of_database(database);
    let found = SizeLimit { limit: 1 << 40 }
        .examine(&context)
        .await
        .expect("it can be measured");
    assert_eq!(found, [], "nothing is wrong with a small database");
    let found = SizeLimit { limit: 1 }
        .examine(&context)
        .await
        .expect("it can be measured");
    assert_eq!((found.len(), found[0].kind.as_str()), (1, "database-too-large"));
    assert_eq!(found[0].facts["limit"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_step_keeps_its_contract() {
    let (Some(source), Some(target)) = (server("SOURCE"), server("TARGET")) else {
        return;
    };
    let files = tempfile::tempdir().expect("a directory");
    let mut plan = plan(source.resolved().database(), Method::Dump);
    plan.tables.push(TablePlan {
        number: 1,
        name: TableName::new("public", "t"),
        kind: RelationKind::Table,
        class: TableClass::Replicate,
        root: None,
    });
    let state_directory = files.path().to_owned();
    let bench = Bench {
        source,
        target,
        plan,
        state_directory,
    };
    bench
        .try_step(&GrantReader)
        .await
        .expect("the step keeps its contract");
}
