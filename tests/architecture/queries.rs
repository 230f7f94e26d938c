//! The relations of users are listed in one place: the catalog, which the context hands out.

use super::{files, is_production, text};
use std::collections::BTreeSet;

/// Where the catalog is read, with the one filter that says which relations are users'.
const CATALOG: &str = "core/postgres/src/catalog/reader";

/// Other statements that look through the relations of users, and what they ask that the catalog of the source can't answer.
const OTHER_LOOKS: &[(&str, &str)] = &[
    (
        "core/engine/src/doctor/strangers.sql",
        "also what is in no plan, of any database",
    ),
    (
        "core/engine/src/removal/activity.sql",
        "the counters of this moment",
    ),
    ("core/engine/src/user_objects.sql", "whether a database is empty"),
    (
        "core/postgres/src/catalog/table_sizes.sql",
        "the sizes on the target, while it is being filled",
    ),
    (
        "core/postgres/src/columns.sql",
        "the columns of both sides at one moment, to compare them",
    ),
    ("core/step/src/apply_rights.sql", "rights on the target"),
    (
        "steps/check-objects/src/conflicts_index.sql",
        "also of relations that are left out",
    ),
    (
        "steps/check-objects/src/system_columns.sql",
        "what views of users depend on",
    ),
    (
        "steps/check-objects/src/types.sql",
        "types and their parts, also where no column has them",
    ),
    (
        "steps/check-replication/src/owners_code.sql",
        "what expressions call",
    ),
    (
        "steps/check-settings/src/lock_table.sql",
        "a number, also of what is left out",
    ),
    (
        "steps/check-target/src/contents.sql",
        "what the target holds already",
    ),
    (
        "steps/method-replication/src/relation/relations.sql",
        "the state of publications, in the transaction of the proof",
    ),
    (
        "steps/method-replication/src/total.sql",
        "a sum that is read again and again",
    ),
    ("steps/schema/src/not_empty.sql", "what the target holds already"),
    ("steps/schema/src/rehearsal/tables.sql", "tables of the rehearsal"),
    (
        "steps/sequences/src/sequences.sql",
        "read with the positions, under a lock",
    ),
];

/// Whether a statement goes through all relations of users: it names the catalog and filters by schema.
fn looks_through_relations(sql: &str) -> bool {
    let excludes = ["NOT IN ('pg_catalog', 'information_schema'", "{of_users}"];
    sql.contains("pg_class") && excludes.iter().any(|filter| sql.contains(filter))
}

#[test]
fn the_relations_of_users_are_read_in_one_place() {
    let statements = ["sql", "rs"].into_iter().flat_map(files);
    let found: BTreeSet<String> = statements
        .filter(|file| is_production(file) && !file.starts_with(CATALOG))
        .filter(|file| looks_through_relations(&text(file)))
        .map(|file| file.display().to_string())
        .collect();
    let known: BTreeSet<String> = OTHER_LOOKS.iter().map(|(file, _)| (*file).to_owned()).collect();
    let new: Vec<_> = found.difference(&known).collect();
    assert!(
        new.is_empty(),
        "ask the catalog that the context gives instead: {new:?}"
    );
    let gone: Vec<_> = known.difference(&found).collect();
    assert!(gone.is_empty(), "no longer needed in this list: {gone:?}");
}
