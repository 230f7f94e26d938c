use super::{Purpose, passed, passed_in_cluster, refuse_other_release};
use pghaul_core::event::{NotedBy, StepUpcaster};
use pghaul_core::machine::{DatabaseRecord, StepRecord};
use pghaul_core::{Code, DatabasePlan, DatabaseState, Failure, InitialCopy, Method, Migration, StepState};
use pghaul_step::{
    Cluster, Context, Database, Descriptor, Probe, Registry, Repeats, Route, Step, StepPhase, async_trait,
};
use std::sync::Arc;

/// A step that is never run.
struct Named(Descriptor);
struct NamedOfCluster(Descriptor);

#[async_trait]
impl Step for Named {
    type Scope = Database;
    type Output = ();
    fn descriptor(&self) -> Descriptor {
        self.0.clone()
    }
    async fn probe(&self, _: &Context<Database>) -> Result<Probe<()>, Failure> {
        Ok(Probe::Absent)
    }
    async fn run(&self, _: &Context<Database>) -> Result<(), Failure> {
        Ok(())
    }
}

#[async_trait]
impl Step for NamedOfCluster {
    type Scope = Cluster;
    type Output = ();
    fn descriptor(&self) -> Descriptor {
        self.0.clone()
    }
    async fn probe(&self, _: &Context<Cluster>) -> Result<Probe<()>, Failure> {
        Ok(Probe::Absent)
    }
    async fn run(&self, _: &Context<Cluster>) -> Result<(), Failure> {
        Ok(())
    }
}

const fn step(name: &'static str, phase: StepPhase, after: &'static [&'static str]) -> Descriptor {
    Descriptor {
        after,
        ..Descriptor::new(name, "", phase)
    }
}

/// What the first release had.
fn first_release() -> Vec<Descriptor> {
    vec![
        step("schema", StepPhase::Schema, &[]),
        step("slot", StepPhase::Data, &[]),
        step("copy", StepPhase::Data, &["slot"]),
        step("follow", StepPhase::Data, &["copy"]),
    ]
}

fn registry(steps: Vec<Descriptor>) -> Registry {
    let registry = Registry::new().with_cluster_step(NamedOfCluster(step("roles", StepPhase::Schema, &[])));
    let registry = steps.into_iter().fold(registry, |r, s| r.with_step(Named(s)));
    registry.validate().unwrap();
    registry
}

/// A database whose plan has the first release's steps, and which has begun some of them.
fn database(state: DatabaseState, steps: &[(&str, StepState)]) -> DatabaseRecord {
    let plan: DatabasePlan = serde_json::from_value(serde_json::json!({
        "database": "shop", "number": 1, "method": "replication", "initial_copy": "snapshot", "forced": false,
        "reasons": [], "steps": ["schema", "slot", "copy", "follow"], "tables": [],
    }))
    .unwrap();
    let steps = steps.iter().map(|(name, state)| {
        let (state, version) = (*state, 1);
        let record = StepRecord {
            state,
            version,
            ..StepRecord::default()
        };
        ((*name).into(), record)
    });
    DatabaseRecord {
        number: 1,
        state,
        plan: Some(Arc::new(plan)),
        steps: steps.collect(),
        ..DatabaseRecord::default()
    }
}

fn migration(record: DatabaseRecord) -> Migration {
    let mut migration = Migration::default();
    migration.databases.insert("shop".into(), record);
    migration
}

const COPYING: DatabaseState = DatabaseState::Replicating { copy_began: true };
const IN_SCHEMA: DatabaseState = DatabaseState::Schema {
    method: Method::Replication,
};

fn failed(during: DatabaseState) -> DatabaseState {
    DatabaseState::Failed {
        during: Box::new(during),
    }
}

fn judged(steps: Vec<Descriptor>, record: DatabaseRecord, purpose: Purpose) -> Option<Failure> {
    refuse_other_release(&registry(steps), &migration(record), purpose).err()
}

fn without(name: &str) -> Vec<Descriptor> {
    let mut steps = first_release();
    steps.retain(|step| step.name != name);
    for step in &mut steps {
        if step.after.contains(&name) {
            step.after = &[];
        }
    }
    steps
}

#[test]
fn a_program_with_more_steps_and_one_without_what_is_over_go_on() {
    use StepState::Finished as Done;
    let mut more = first_release();
    more.push(step("analyze", StepPhase::Data, &["copy"]));
    for state in [COPYING, failed(COPYING), DatabaseState::Syncing] {
        let record = database(state, &[("schema", Done), ("slot", Done)]);
        assert_eq!(judged(more.clone(), record, Purpose::Run), None);
    }
    // What was planned, not needed, and is over.
    let record = database(COPYING, &[("schema", Done), ("copy", Done)]);
    assert_eq!(judged(without("slot"), record, Purpose::Run), None);
    // Nothing is asked of a database that is not planned yet, or over.
    for state in [DatabaseState::Pending, DatabaseState::Removed] {
        let record = database(state, &[("copy", Done)]);
        assert_eq!(judged(without("copy"), record, Purpose::Remove), None);
    }
    // What is undone asks for nobody who undoes it.
    let record = database(
        DatabaseState::Removing,
        &[("schema", Done), ("copy", StepState::Undone)],
    );
    assert_eq!(judged(without("copy"), record, Purpose::Remove), None);
}

#[test]
fn a_program_that_lacks_a_step_is_refused_by_name() {
    use StepState::{Failed, Finished, Running};
    for state in [Running, Finished, Failed] {
        for purpose in [Purpose::Run, Purpose::Remove] {
            let record = database(failed(COPYING), &[("schema", Finished), ("copy", state)]);
            let refusal = judged(without("copy"), record, purpose).unwrap();
            assert_eq!(refusal.code, Code::OtherRelease);
            assert!(refusal.message.contains("step copy"), "{refusal}");
            assert!(refusal.message.contains("database shop has begun"), "{refusal}");
        }
    }
    // A planned one that is still to come: a removal does not need it.
    let record = || database(IN_SCHEMA, &[("schema", Finished)]);
    let refusal = judged(without("follow"), record(), Purpose::Run).unwrap();
    assert!(refusal.message.contains("step follow"), "{refusal}");
    assert!(refusal.hint.unwrap().contains("nothing was changed"));
    assert_eq!(judged(without("follow"), record(), Purpose::Remove), None);
    // What is done is not run again, but removed.
    let done = || database(DatabaseState::Done, &[("schema", Finished), ("copy", Finished)]);
    assert_eq!(judged(without("copy"), done(), Purpose::Run), None);
    let refusal = judged(without("copy"), done(), Purpose::Remove).unwrap();
    assert!(refusal.hint.unwrap().contains("pghaul remove --force"));
    assert_eq!(judged(without("copy"), done(), Purpose::ForcedRemoval), None);
}

#[test]
fn a_step_that_noted_a_newer_version_is_refused_with_both_versions() {
    const UPCASTERS: &[StepUpcaster] = &[|noted, value| {
        assert_eq!(noted, NotedBy::Output);
        Ok(value)
    }];
    let noted_in = |version| {
        let mut record = database(COPYING, &[("slot", StepState::Finished)]);
        record.steps.get_mut(&"slot".into()).unwrap().version = version;
        record
    };
    let mut newer = first_release();
    newer.iter_mut().find(|s| s.name == "slot").unwrap().upcasters = UPCASTERS;
    for (version, in_first, in_newer) in [(1, true, true), (2, false, true), (3, false, false)] {
        for purpose in [Purpose::Run, Purpose::Remove, Purpose::ForcedRemoval] {
            let first = judged(first_release(), noted_in(version), purpose);
            assert_eq!(first.is_none(), in_first, "{first:?}");
            let second = judged(newer.clone(), noted_in(version), purpose);
            assert_eq!(second.is_none(), in_newer, "{second:?}");
        }
    }
    let refusal = judged(first_release(), noted_in(3), Purpose::Run).unwrap();
    assert_eq!(
        refusal.message,
        "step slot of database shop has noted something in version 3; this program reads up to 1"
    );
}

#[test]
fn a_step_of_the_cluster_is_missed_while_it_is_unfinished() {
    let with = |state| {
        let mut migration = migration(database(IN_SCHEMA, &[]));
        let record = StepRecord {
            state,
            ..StepRecord::default()
        };
        migration.steps.insert("tablespaces".into(), record);
        refuse_other_release(&registry(first_release()), &migration, Purpose::Run)
    };
    assert_eq!(with(StepState::Finished), Ok(()));
    let refusal = with(StepState::Running).unwrap_err();
    assert!(refusal.message.contains("step tablespaces"), "{refusal}");
}

/// Which of a later release's steps are not asked.
fn passed_with(added: Vec<Descriptor>, record: &DatabaseRecord) -> Vec<&'static str> {
    let mut steps = first_release();
    steps.extend(added);
    let registry = registry(steps);
    let order = registry.database_steps(Route::ReplicationBySnapshot).unwrap();
    let order: Vec<Descriptor> = order.iter().map(|step| step.descriptor()).collect();
    passed(record, &order).into_iter().collect()
}

#[test]
fn a_step_that_a_later_release_brought_runs_where_its_place_is_not_passed() {
    use StepState::{Finished, Running};
    let added = || {
        vec![
            step("extensions", StepPhase::Schema, &["schema"]),
            step("analyze", StepPhase::Data, &["copy"]),
            step("marker", StepPhase::Data, &["slot"]),
        ]
    };
    let in_schema = database(IN_SCHEMA, &[("schema", Running)]);
    assert_eq!(passed_with(added(), &in_schema), [""; 0]);
    let copying = database(
        COPYING,
        &[("schema", Finished), ("slot", Finished), ("copy", Running)],
    );
    assert_eq!(passed_with(added(), &copying), ["extensions"]);
    // A step that has said to come after `marker` has begun without it.
    let mut before_copy = added();
    before_copy.push(step("hold", StepPhase::Data, &["marker"]));
    let mut begun = copying.clone();
    begun.steps.insert("hold".into(), StepRecord::default());
    begun.steps.get_mut(&"hold".into()).unwrap().state = Running;
    assert_eq!(passed_with(before_copy, &begun), ["extensions", "marker"]);
    // One that has begun goes on, wherever it belongs.
    let mut going_on = copying.clone();
    going_on
        .steps
        .insert("extensions".into(), begun.steps[&"hold".into()].clone());
    assert_eq!(passed_with(added(), &going_on), [""; 0]);
    // What every run repeats is asked again in any case.
    let repeated = Descriptor {
        repeats: Repeats::EveryRun,
        ..step("extensions", StepPhase::Schema, &["schema"])
    };
    assert_eq!(passed_with(vec![repeated], &copying), [""; 0]);
}

#[test]
fn what_the_plan_has_is_asked_as_ever() {
    let skipped = database(
        COPYING,
        &[("schema", StepState::Finished), ("copy", StepState::Running)],
    );
    assert_eq!(passed_with(Vec::new(), &skipped), [""; 0], "slot is in the plan");
}

#[test]
fn a_fallback_completes_the_schema_until_rows_move() {
    let added = || vec![step("extensions", StepPhase::Schema, &["schema"])];
    let mut fallen = database(DatabaseState::Dumping, &[("schema", StepState::Finished)]);
    fallen.fell_back = Some(Failure::new(Code::PermissionDenied, "no"));
    assert_eq!(passed_with(added(), &fallen), [""; 0]);
    let copying = StepRecord {
        state: StepState::Running,
        ..StepRecord::default()
    };
    fallen.steps.insert("copy".into(), copying);
    assert_eq!(passed_with(added(), &fallen), ["extensions"]);
}

#[test]
fn steps_of_the_cluster_are_over_when_every_database_has_a_schema_or_a_later_one_has_begun() {
    let order = [
        step("definitions", StepPhase::Schema, &[]),
        step("roles", StepPhase::Schema, &["definitions"]),
        step("tablespaces", StepPhase::Schema, &[]),
    ];
    let passed = |migration: &Migration| -> Vec<&str> {
        let passed = passed_in_cluster(migration, &order);
        passed.into_iter().collect()
    };
    let waiting = DatabaseRecord {
        state: failed(DatabaseState::Checking { planned: None }),
        ..DatabaseRecord::default()
    };
    let mut waits = migration(waiting);
    assert_eq!(passed(&waits), [""; 0]);
    let finished = StepRecord {
        state: StepState::Finished,
        ..StepRecord::default()
    };
    waits.steps.insert("roles".into(), finished);
    assert_eq!(passed(&waits), ["definitions"]);
    waits.databases.insert("blog".into(), database(IN_SCHEMA, &[]));
    assert_eq!(passed(&waits), ["definitions"], "one of the two still waits");
    waits.databases.remove(&"shop".into());
    assert_eq!(passed(&waits), ["definitions", "tablespaces"]);
}

#[test]
fn the_initial_copy_of_the_plan_decides_which_route_is_known() {
    // A step of the other copy's route only would not be undone.
    let mut steps = without("slot");
    steps.push(Descriptor {
        routes: &[Route::ReplicationByServer],
        ..step("slot", StepPhase::Data, &[])
    });
    let record = database(COPYING, &[("slot", StepState::Finished)]);
    assert_eq!(record.plan.as_ref().unwrap().initial_copy, InitialCopy::Snapshot);
    assert!(judged(steps, record, Purpose::Remove).is_some());
}
