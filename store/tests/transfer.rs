//! A journal on its way to another machine: the same bytes, the same state, and nothing else gets in.

#![expect(clippy::unwrap_used, reason = "functions that tests share")]

#[cfg(test)]
mod support;

use pghaul_core::{Code, Failure, Journal as _, MigrationId, StepEvent, StepVersions};
use pghaul_store::{DamageReason, Imported, JournalFile, StoreError};
use proptest::prelude::*;
use std::sync::OnceLock;
use support::*;

/// Texts that JSON, SQLite and a hash must agree about.
const HARD: [&str; 5] = ["", "\"\\\n\u{0}\u{1f}", "é€𝄞", "a\u{2028}b", "\u{feff}"];

async fn journal(facts: &[&str]) -> Scratch {
    let scratch = Scratch::new();
    let writer = begin(&scratch.file, &id(), "app").await;
    for text in facts {
        writer.append(vec![fact(*text)]).await.unwrap();
    }
    scratch
}

fn export(file: &JournalFile) -> Vec<u8> {
    let mut bytes = Vec::new();
    file.read_migration(&id()).unwrap().export(&mut bytes).unwrap();
    bytes
}

fn import(file: &JournalFile, bytes: &[u8]) -> Result<Imported, StoreError> {
    let mut bytes = bytes;
    file.import(&mut bytes)
}

fn sound() -> &'static [u8] {
    static SOUND: OnceLock<Vec<u8>> = OnceLock::new();
    SOUND.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        export(&runtime.block_on(journal(&HARD)).file)
    })
}

#[tokio::test]
async fn another_machine_goes_on_where_the_first_stopped() {
    let (here, there) = (journal(&HARD).await, Scratch::new());
    let head = here.file.read_migration(&id()).unwrap().verify().unwrap();
    let imported = import(&there.file, &export(&here.file)).unwrap();
    assert_eq!((&imported.head, imported.added), (&head, head.seq.0));
    assert_eq!(events(&there.file, &id()), events(&here.file, &id()));
    assert_eq!(export(&there.file), export(&here.file), "byte by byte");

    // The other machine works, and the first gets the later events back; a second time there are none.
    let writer = there.file.write_migration(&id()).unwrap();
    writer
        .append(vec![runner(2), roles(StepEvent::StepStarted), fact("there")])
        .await
        .unwrap();
    let head = writer.head();
    drop(writer);
    let newer = export(&there.file);
    assert_eq!(import(&here.file, &newer).unwrap().added, 3);
    assert_eq!(import(&here.file, &newer).unwrap().added, 0);
    assert_eq!(here.file.read_migration(&id()).unwrap().verify().unwrap(), head);
    assert_eq!(export(&here.file), newer);
}

#[tokio::test]
async fn an_older_export_and_one_that_went_another_way_change_nothing() {
    let (here, other) = (journal(&["1", "2"]).await, journal(&["1", "other"]).await);
    let before = export(&here.file);
    let older = export(&journal(&[]).await.file);
    // Events carry the time: only the same file has the same ones.
    let parted = import(&here.file, &export(&other.file)).unwrap_err();
    assert!(matches!(parted, StoreError::Parted { .. }), "{parted}");
    assert_eq!(Failure::from(parted).code, Code::JournalDamaged);
    assert!(matches!(
        import(&here.file, &older),
        Err(StoreError::Parted { .. })
    ));

    let newer = Scratch::new();
    import(&newer.file, &before).unwrap();
    let writer = newer.file.write_migration(&id()).unwrap();
    writer.append(vec![fact("3")]).await.unwrap();
    drop(writer);
    let stale = import(&newer.file, &before).unwrap_err();
    assert!(matches!(stale, StoreError::Ahead { .. }), "{stale}");
    assert_eq!(Failure::from(stale).code, Code::JournalStale);
    assert_eq!(export(&here.file), before);
}

#[tokio::test]
async fn a_running_migration_and_a_taken_name_are_refused() {
    let here = Scratch::new();
    let running = begin(&here.file, &id(), "app").await;
    let text = export(&here.file);
    assert!(matches!(
        import(&here.file, &text),
        Err(StoreError::Locked { .. })
    ));
    drop(running);
    let other = Scratch::new();
    drop(begin(&other.file, &MigrationId::new("bbbbbbbb"), "app").await);
    assert!(matches!(
        import(&other.file, &text),
        Err(StoreError::NameTaken { .. })
    ));
    assert_eq!(other.file.migrations().unwrap().len(), 1);
}

#[tokio::test]
async fn an_export_to_a_file_is_private_and_replaces_nothing() {
    use std::os::unix::fs::PermissionsExt as _;
    let here = journal(&["1"]).await;
    let path = here.directory.path().join("export");
    let open = here.file.read_migration(&id()).unwrap();
    open.export_to(&path).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), export(&here.file));
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(matches!(open.export_to(&path), Err(StoreError::Io { .. })));
    let names = std::fs::read_dir(here.directory.path()).unwrap();
    let left = names.filter(|e| {
        e.as_ref()
            .unwrap()
            .file_name()
            .to_string_lossy()
            .starts_with(".pghaul")
    });
    assert_eq!(left.count(), 0, "a temporary file was left");
}

#[test]
fn a_refused_import_leaves_no_file_and_a_sound_one_only_the_journal() {
    let directory = tempfile::tempdir().unwrap();
    let names = || -> Vec<_> {
        let entries = std::fs::read_dir(directory.path()).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    };
    let path = directory.path().join("journal");
    let bad: [&[u8]; 3] = [b"", b"no export\n", &sound()[..sound().len() - 9]];
    for mut bytes in bad {
        JournalFile::import_at(&path, StepVersions::default(), &mut bytes).unwrap_err();
        assert_eq!(names(), [""; 0]);
    }
    // An empty file that somebody made is one that is not there.
    std::fs::write(&path, "").unwrap();
    JournalFile::import_at(&path, StepVersions::default(), &mut &sound()[..50]).unwrap_err();
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 0);
    let imported = JournalFile::import_at(&path, StepVersions::default(), &mut { sound() }).unwrap();
    assert_eq!(names(), ["journal"]);
    let file = JournalFile::open(&path).unwrap();
    assert_eq!(
        file.read_migration(&id()).unwrap().verify().unwrap(),
        imported.head
    );
    assert_eq!(export(&file), sound());
    // And where there is one, it stays what it is.
    JournalFile::import_at(&path, StepVersions::default(), &mut &sound()[..50]).unwrap_err();
    assert_eq!(
        JournalFile::import_at(&path, StepVersions::default(), &mut { sound() })
            .unwrap()
            .added,
        0
    );
    assert_eq!(export(&file), sound());
}

/// A device that never ends is refused before it fills the memory.
#[test]
fn a_line_without_an_end_is_refused() {
    struct Endless;
    impl std::io::Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            buffer.fill(b' ');
            Ok(buffer.len())
        }
    }
    let scratch = Scratch::new();
    let error = scratch
        .file
        .import(&mut std::io::BufReader::with_capacity(1 << 20, Endless))
        .unwrap_err();
    assert!(error.to_string().contains("longer than"), "{error}");
}

#[test]
fn an_export_that_is_cut_anywhere_is_refused_and_leaves_nothing() {
    let scratch = Scratch::new();
    for length in 0..sound().len() {
        let error = import(&scratch.file, &sound()[..length]).unwrap_err();
        assert!(
            matches!(error, StoreError::BadExport { .. }),
            "{error} at {length}"
        );
    }
    assert_eq!(scratch.file.migrations().unwrap().len(), 0);
    import(&scratch.file, sound()).unwrap();
}

#[test]
fn a_line_that_is_missing_doubled_or_swapped_is_named() {
    let lines: Vec<&[u8]> = sound().split_inclusive(|byte| *byte == b'\n').collect();
    let edited = |edit: &dyn Fn(&mut Vec<&[u8]>)| {
        let mut lines = lines.clone();
        edit(&mut lines);
        let error = import(&Scratch::new().file, &lines.concat()).unwrap_err();
        match error {
            StoreError::Damaged { damage, .. } => {
                assert!(matches!(damage.reason, DamageReason::Gap { .. }), "{damage}");
                damage.seq.0
            }
            other => panic!("{other}"),
        }
    };
    // Line 0 is the heading: event n stands in line n.
    assert_eq!(
        edited(&|lines| {
            lines.remove(4);
        }),
        4
    );
    assert_eq!(edited(&|lines| lines.insert(5, lines[4])), 5);
    assert_eq!(edited(&|lines| lines.swap(3, 6)), 3);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    /// A flipped bit is found, or lies where it changes nothing: in the spelling of JSON.
    #[test]
    fn a_flipped_bit_changes_nothing_unnoticed(place in 0.0..1.0_f64, bit in 0_u8..8) {
        let mut bytes = sound().to_vec();
        let place = (place * bytes.len() as f64) as usize;
        bytes[place] ^= 1 << bit;
        let scratch = Scratch::new();
        if import(&scratch.file, &bytes).is_ok() {
            let sound = Scratch::new();
            import(&sound.file, self::sound()).unwrap();
            prop_assert_eq!(events(&scratch.file, &id()), events(&sound.file, &id()));
            prop_assert_eq!(scratch.file.find("app").unwrap(), sound.file.find("app").unwrap());
        } else {
            prop_assert_eq!(scratch.file.migrations().unwrap().len(), 0);
        }
    }

    /// Nothing that is no export makes it panic, or leaves anything.
    #[test]
    fn any_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..400), headed in any::<bool>()) {
        let heading = sound().split_inclusive(|byte| *byte == b'\n').next().unwrap();
        let bytes = if headed { [heading, &bytes].concat() } else { bytes };
        let scratch = Scratch::new();
        prop_assert!(import(&scratch.file, &bytes).is_err());
        prop_assert_eq!(scratch.file.migrations().unwrap().len(), 0);
    }
}
