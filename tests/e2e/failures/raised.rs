//! Errors that a user's own function raises on the target, with SQLSTATEs that elsewhere mean a lost connection or a changed schema.

use super::{database, servers};
use crate::migration::Migration;

const NOT_SAFE_TO_REMOVE: i32 = 8;

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
        // The check is added when the rows are there: the target refuses it, which ends no run.
        let run = migration.run().succeeded();
        let outcome = match method {
            "dump" => run,
            _ => migration.remove().failed_with(NOT_SAFE_TO_REMOVE),
        };
        let text = format!("{}{}", outcome.stdout, outcome.stderr);
        assert!(
            text.contains("only picky() names"),
            "{state} with {method}\n{outcome}"
        );
        assert!(
            !text.contains("trying again") && !text.contains("--force"),
            "{state} with {method}\n{outcome}"
        );
    }
}
