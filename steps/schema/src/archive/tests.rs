//! Damage of any kind is found before anything of the archive is believed.

use super::*;
use libpgdump::Format;
use pghaul_step::Code;
use proptest::prelude::*;
use std::sync::OnceLock;
use tempfile::TempDir;

/// A sealed archive of a table and a function with names that need care.
fn archive() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let mut dump = libpgdump::new("shop", "UTF8", "15.0").unwrap();
    dump.set_format(Format::Directory);
    let table = dump.add_entry(
        ObjectType::Table,
        Some("public"),
        Some("ord\"er"),
        Some("owner"),
        Some("CREATE TABLE public.\"ord\"\"er\" (id integer);\n"),
        Some("DROP TABLE public.\"ord\"\"er\";\n"),
        None,
        &[],
    );
    let on_table = [table.unwrap()];
    dump.add_entry(
        ObjectType::Index,
        Some("public"),
        Some("è"),
        Some("owner"),
        Some("CREATE INDEX \"è\" ON public.\"ord\"\"er\" (id);\n"),
        Some("DROP INDEX public.\"è\";\n"),
        None,
        &on_table,
    )
    .unwrap();
    dump.save(directory.path()).unwrap();
    seal::set(directory.path()).unwrap();
    directory
}

/// The bytes of the archive's table of contents and of its checksum.
fn sound() -> &'static [Vec<u8>; 2] {
    static SOUND: OnceLock<[Vec<u8>; 2]> = OnceLock::new();
    SOUND.get_or_init(|| {
        let directory = archive();
        FILES.map(|name| std::fs::read(directory.path().join(name)).unwrap())
    })
}

const FILES: [&str; 2] = ["toc.dat", "toc.sha256"];

fn read_damaged(files: &[Vec<u8>; 2]) -> Result<Archive, Failure> {
    let directory = tempfile::tempdir().unwrap();
    for (name, bytes) in FILES.iter().zip(files) {
        std::fs::write(directory.path().join(name), bytes).unwrap();
    }
    Archive::read(directory.path())
}

fn assert_refused(files: &[Vec<u8>; 2], what: &str) {
    let failure = read_damaged(files).expect_err(what);
    assert_eq!(failure.code, Code::ToolFailed, "{what}");
    assert!(
        failure.hint.is_some_and(|hint| hint.contains("run again")),
        "{what}"
    );
    assert!(
        failure.causes.iter().any(|cause| cause.contains("SHA-256")),
        "{what}: {:?}",
        failure.causes
    );
}

#[test]
fn a_whole_archive_is_read() {
    let read = read_damaged(sound()).unwrap();
    let entries: Vec<_> = read.entries.iter().map(Entry::label).collect();
    assert!(
        entries.contains(&"TABLE public.ord\"er".to_owned()),
        "{entries:?}"
    );
    assert!(entries.contains(&"INDEX public.è".to_owned()), "{entries:?}");
}

#[test]
fn an_archive_that_is_cut_anywhere_is_refused() {
    for file in 0..FILES.len() {
        for length in 0..sound()[file].len() {
            let mut files = sound().clone();
            files[file].truncate(length);
            assert_refused(&files, &format!("{} cut at {length}", FILES[file]));
        }
    }
}

#[test]
fn an_archive_without_a_checksum_is_refused() {
    let directory = archive();
    std::fs::remove_file(directory.path().join("toc.sha256")).unwrap();
    Archive::read(directory.path()).unwrap_err();
    Archive::read(&directory.path().join("nothing")).unwrap_err();
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn a_flipped_bit_anywhere_is_refused(file in 0..FILES.len(), place in 0.0..1.0_f64, bit in 0_u8..8) {
        let mut files = sound().clone();
        let place = (place * files[file].len() as f64) as usize;
        files[file][place] ^= 1 << bit;
        assert_refused(&files, &format!("bit {bit} of byte {place} of {}", FILES[file]));
    }
}

/// Two archives of the same schema are the same one whatever numbers pg_dump gave; a change in anything that is sent,
/// or in what depends on what, makes another.
#[test]
fn the_fingerprint_covers_all_that_is_sent_and_no_numbers() {
    let read = read_damaged(sound()).unwrap();
    let before = read.fingerprint();
    let (last, first) = (read.entries.len() - 1, 0);
    let changed = |change: &dyn Fn(&mut Entry)| {
        let mut other = read.clone();
        change(&mut other.entries[last]);
        assert_ne!(other.fingerprint(), before);
    };
    changed(&|entry| entry.tag.push('x'));
    changed(&|entry| entry.statements.push(' '));
    changed(&|entry| entry.drop_statement.push(' '));
    changed(&|entry| entry.access_method.push('x'));
    changed(&|entry| entry.before_data = !entry.before_data);
    changed(&|entry| entry.dependencies.push(1));
    let mut swapped = read.clone();
    swapped.entries.swap(first, last);
    assert_ne!(swapped.fingerprint(), before);

    let renumbered = read_renumbered();
    assert_eq!(renumbered.fingerprint(), before);
    assert_eq!(renumbered.entries, read.entries);
}

/// The same archive as pg_dump might have numbered it another time.
fn read_renumbered() -> Archive {
    let directory = archive();
    let mut dump = libpgdump::load(directory.path()).unwrap();
    let numbers: Vec<i32> = dump.entries().iter().map(|entry| entry.dump_id).collect();
    for number in numbers {
        let entry = dump.get_entry_mut(number).unwrap();
        entry.dump_id += 100;
        for id in &mut entry.dependencies {
            *id += 100;
        }
    }
    dump.set_sort_on_save(false);
    dump.save(directory.path()).unwrap();
    seal::set(directory.path()).unwrap();
    Archive::read(directory.path()).unwrap()
}
