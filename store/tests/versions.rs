//! Journals of other releases: older ones are read as if this one had written them, newer ones are refused untouched.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "functions that tests share"
)]

#[cfg(test)]
mod support;

use pghaul_core::event::{NotedBy, StepUpcaster};
use pghaul_core::{Code, Failure, Journal as _, StepEvent, StepName, StepVersions};
use pghaul_store::{JournalFile, StoreError};
use serde_json::{Value, json};
use support::*;

/// Version 2 of the step's output has a name in place of a text.
const ROLES: &[StepUpcaster] = &[|noted, value| match noted {
    NotedBy::Output => Ok(json!({ "name": value })),
    NotedBy::Facts | NotedBy::Item => Ok(value),
}];

fn versions() -> StepVersions {
    StepVersions::default().with(StepName::new("roles"), ROLES)
}

fn finished(version: u32, output: Value) -> StepEvent {
    StepEvent::StepFinished {
        output: output.into(),
        version,
        found: false,
    }
}

fn export(file: &JournalFile) -> Vec<u8> {
    let mut bytes = Vec::new();
    file.read_migration(&id()).unwrap().export(&mut bytes).unwrap();
    bytes
}

/// What every way of reading says of the step's output.
fn outputs(file: &JournalFile) -> Vec<(Value, u32)> {
    let loaded = file.read_migration(&id()).unwrap().load().unwrap().migration;
    let live = state(&file.write_migration(&id()).unwrap());
    let shown = events(file, &id()).pop().unwrap().event;
    let pghaul_core::Event::ClusterStep(_, StepEvent::StepFinished { output, version, .. }) = shown else {
        panic!("{shown:?}")
    };
    let of = |migration: &pghaul_core::Migration| {
        let record = &migration.steps[&StepName::new("roles")];
        (record.output.as_ref().unwrap().value(), record.version)
    };
    vec![of(&loaded), of(&live), (output.value(), version)]
}

/// A journal in which step `roles` has noted something in its first version.
async fn noted_by_an_older_release() -> Scratch {
    let here = Scratch::new();
    let writer = begin(&here.file, &id(), "app").await;
    let noted = vec![roles(finished(1, json!("app")))];
    writer.append(noted).await.unwrap();
    here
}

#[tokio::test]
async fn what_an_older_release_noted_is_read_as_this_one_would_note_it() {
    let here = noted_by_an_older_release().await;
    let bytes = export(&here.file);
    let newer = JournalFile::open(here.path()).unwrap().with_versions(versions());
    for (output, version) in outputs(&newer) {
        assert_eq!((output, version), (json!({"name": "app"}), 2));
    }
    assert_eq!(
        export(&newer),
        bytes,
        "an export has what was written, byte by byte"
    );
    let there = Scratch::new();
    let path = there.directory.path().join("imported");
    JournalFile::import_at(&path, versions(), &mut bytes.as_slice()).unwrap();
    let imported = JournalFile::open(&path).unwrap().with_versions(versions());
    assert_eq!(outputs(&imported), outputs(&newer));
    // What is appended after it is in the newest version.
    let writer = imported.write_migration(&id()).unwrap();
    let again = vec![
        roles(StepEvent::StepStarted),
        roles(finished(2, json!({"name": "new"}))),
    ];
    writer.append(again).await.unwrap();
    drop(writer);
    assert_eq!(outputs(&imported)[0], (json!({"name": "new"}), 2));
    // The older program sees that it can't read it: its engine refuses to go on.
    let older = JournalFile::open(&path).unwrap();
    assert_eq!(outputs(&older)[0].1, 2);
}

#[tokio::test]
async fn what_no_upcaster_can_read_is_damage_at_its_event() {
    const PICKY: &[StepUpcaster] = &[|_, _| Err("it is too old".to_owned())];
    let here = noted_by_an_older_release().await;
    let picky = StepVersions::default().with(StepName::new("roles"), PICKY);
    let newer = JournalFile::open(here.path()).unwrap().with_versions(picky);
    let refused = newer.write_migration(&id()).unwrap_err().to_string();
    assert!(
        refused.contains("event 4") && refused.contains("it is too old"),
        "{refused}"
    );
}

/// Of each kind of record that a newer release may write: an event, its payload, the export as a whole.
#[tokio::test]
async fn what_a_newer_release_wrote_is_refused_before_anything_is_written() {
    let here = noted_by_an_older_release().await;
    let sound = export(&here.file);
    let newer_event = rechained(&sound, |line| {
        if line["seq"] == 4 {
            line["kind"] = "step_dreamt".into();
        }
        // Its runner has said which release it is.
        if line["kind"] == "runner_started" {
            let payload = line["payload"].as_str().unwrap();
            line["payload"] = payload.replace("{", r#"{"pghaul":"7.1.0","#).into();
        }
    });
    let newer_payload = rechained(&sound, |line| {
        if line["seq"] == 4 {
            line["version"] = 9.into();
        }
    });
    let newer_export = String::from_utf8(sound.clone())
        .unwrap()
        .replacen("\"pghaul_journal\":1", "\"pghaul_journal\":2", 1)
        .into_bytes();
    for (text, parts) in [
        (newer_event, ["event 4", "step roles", "step_dreamt", "7.1.0"]),
        (
            newer_payload,
            ["event 4", "step roles", "version 9", "reads up to 2"],
        ),
        (
            newer_export,
            ["format 2", "up to 1", "import it", "nothing was changed"],
        ),
    ] {
        let there = Scratch::new();
        let path = there.directory.path().join("imported");
        let refused = JournalFile::import_at(&path, versions(), &mut text.as_slice()).unwrap_err();
        let failure = Failure::from(refused);
        assert_eq!(failure.code, Code::OtherRelease, "{failure:?}");
        for part in parts {
            assert!(
                format!("{failure:?}").contains(part),
                "{part} is missing: {failure:?}"
            );
        }
        assert!(!path.exists());
    }
}

/// A text with hashes that fit is believed no more for it: each of these would stop a run as a bug.
#[tokio::test]
async fn an_export_that_contradicts_itself_is_refused() {
    let table = |number: u32, root: Option<u32>| json!({"number": number, "schema": "public", "name": "t", "kind": "table", "class": "replicate", "root": root});
    let plan = |database: &str, number: u32, tables: Value| {
        json!({"plan": {
            "database": database, "number": number, "method": "dump", "initial_copy": "snapshot", "forced": false,
            "reasons": [], "steps": ["schema"], "tables": tables,
        }})
    };
    let here = Scratch::new();
    let writer = begin(&here.file, &id(), "app").await;
    let checked = [
        pghaul_core::DatabaseEvent::CheckingStarted,
        pghaul_core::DatabaseEvent::Checked { findings: Vec::new() },
    ];
    let checked = checked.map(|event| pghaul_core::Event::Database("blog".into(), event));
    let mut appended = vec![selected(&["shop", "blog"])];
    appended.extend(checked);
    appended.push(roles(StepEvent::ItemFinished {
        item: "admin".to_owned(),
        outcome: Value::Null.into(),
        version: 1,
    }));
    writer.append(appended).await.unwrap();
    drop(writer);
    let sound = export(&here.file);
    let with_plan = |plan: Value| {
        rechained(&sound, move |line| {
            if line["seq"] == 7 {
                line["database"] = "blog".into();
                line["step"] = Value::Null;
                line["item"] = Value::Null;
                line["kind"] = "planned".into();
                line["version"] = 1.into();
                line["payload"] = plan.to_string().into();
            }
        })
    };
    let with_column = |column: &'static str, value: Value| {
        rechained(&sound, move |line| {
            if line["seq"] == 7 {
                line[column] = value.clone();
            }
        })
    };
    let import = |text: &[u8]| {
        let there = Scratch::new();
        let path = there.directory.path().join("imported");
        let imported = JournalFile::import_at(&path, versions(), &mut &*text);
        assert_eq!(path.exists(), imported.is_ok());
        imported
    };
    for text in [
        with_plan(plan("blog", 2, json!([table(1, None), table(2, Some(1))]))),
        with_column("item", "admin".into()),
    ] {
        import(&text).unwrap();
    }
    for (text, why) in [
        (with_plan(plan("shop", 2, json!([]))), "that of database shop"),
        (with_plan(plan("blog", 1, json!([]))), "for number 1, not 2"),
        (
            with_plan(plan("blog", 2, json!([table(1, None), table(1, None)]))),
            "numbering table 2 as 1",
        ),
        (
            with_plan(plan("blog", 2, json!([table(1, Some(4))]))),
            "naming table 4",
        ),
        (with_column("item", "other".into()), "column item"),
        (with_column("item", Value::Null), "column item"),
        (with_column("epoch", 7.into()), "column epoch"),
        (with_column("at", "yesterday".into()), "column at"),
    ] {
        let refused = import(&text).unwrap_err();
        assert!(matches!(refused, StoreError::Damaged { .. }), "{refused}");
        let message = refused.to_string();
        assert!(message.contains("event 7") && message.contains(why), "{message}");
        assert_eq!(Failure::from(refused).code, Code::JournalDamaged);
    }
}

/// A named pipe would be waited for, for ever; a device be read without an end.
#[test]
fn what_is_no_regular_file_is_no_journal() {
    let scratch = Scratch::new();
    let here = scratch.directory.path();
    let made = std::process::Command::new("mkfifo")
        .arg(here.join("pipe"))
        .status();
    assert!(made.unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(here.join("socket")).unwrap();
    std::os::unix::fs::symlink(here.join("pipe"), here.join("link")).unwrap();
    let text = export_of_nothing();
    for path in [
        here.join("pipe"),
        here.join("link"),
        here.join("socket"),
        here.to_owned(),
        "/dev/zero".into(),
        "/dev/null".into(),
    ] {
        for opened in [
            JournalFile::open(&path).map(drop),
            JournalFile::create(&path).map(drop),
            JournalFile::import_at(&path, versions(), &mut text.as_slice()).map(drop),
        ] {
            let refused = opened.unwrap_err();
            assert!(
                matches!(refused, StoreError::NotAJournal { .. }),
                "{}: {refused}",
                path.display()
            );
            assert!(refused.to_string().contains("regular file"), "{refused}");
        }
    }
}

fn export_of_nothing() -> Vec<u8> {
    let here = Scratch::new();
    here.file.begin(&id(), created("app")).unwrap();
    export(&here.file)
}
