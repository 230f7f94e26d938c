//! Errors that a user's own function raises on the target, with SQLSTATEs that elsewhere mean a lost connection or a changed schema.

use super::{database, error, servers};
use crate::migration::Migration;

const MIGRATION_FAILED: i32 = 9;

/// A check constraint that lets rows in on the source, and raises an error on the target, where there is a schema `pghaul`.
fn picky(state: &str) -> String {
    format!(
        "create function picky(int) returns boolean language plpgsql as $$ begin
             if to_regnamespace('pghaul') is not null then
                 raise exception 'relation or server that only picky() names' using errcode = '{state}';
             end if;
             return true;
         end $$;
         create table particular (id int primary key check (picky(id)));
         insert into particular values (1)"
    )
}

#[test]
fn by_a_function_is_neither_a_lost_connection_nor_a_change_of_the_schema() {
    let pair = servers();
    for (state, method) in [
        ("42P01", "dump"),
        ("42P01", "replication"),
        ("42703", "dump"),
        ("3F000", "replication"),
        ("08006", "dump"),
        ("08001", "replication"),
        ("57P01", "dump"),
    ] {
        let name = database(pair, "raised");
        pair.source.psql(&name, &picky(state));
        let migration = Migration::of(&pair.source, &pair.target, &name).options(["--method", method]);
        let outcome = migration.run();
        let text = error(&outcome, MIGRATION_FAILED, "server-error");
        assert!(text.contains("only picky() names"), "{outcome}");
        assert!(
            !outcome.stderr.contains("trying again") && !outcome.stderr.contains("--force"),
            "{state} with {method}\n{outcome}"
        );
    }
}
