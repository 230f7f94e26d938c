//! Connections that can't be made.

use super::{SOURCE_PASSWORD, TARGET_PASSWORD, completes, database, error, inventory, servers, the_error};
use crate::migration::Migration;

/// Connection, permission, usage.
const CONNECTION: i32 = 4;
const PERMISSION: i32 = 5;
const USAGE: i32 = 2;
const CHECK_FAILED: i32 = 3;

#[test]
fn a_server_that_cannot_be_reached_is_named() {
    let pair = servers();
    let name = database(pair, "arguments");
    let before = inventory(&pair.target, &name);
    let right = [
        pair.source.conninfo_as("mover", SOURCE_PASSWORD, "postgres"),
        pair.target.conninfo_as("mover", TARGET_PASSWORD, "postgres"),
    ];
    let port = pair.source.port();
    let wrong = [
        (
            format!("host=127.0.0.1 port={port} user=mover password=wrong-one"),
            PERMISSION,
            "authentication-failed",
        ),
        (
            format!("host=127.0.0.1 port={port} user=mover"),
            PERMISSION,
            "authentication-failed",
        ),
        (
            "host=nowhere.invalid user=mover".to_owned(),
            CONNECTION,
            "host-not-found",
        ),
        (
            "host=127.0.0.1 port=1 user=mover".to_owned(),
            CONNECTION,
            "connection-refused",
        ),
        (
            "host=/nonexistent user=mover".to_owned(),
            CONNECTION,
            "connection-refused",
        ),
        (format!("hots=127.0.0.1 port={port}"), USAGE, "bad-input"),
    ];
    for (conninfo, exit_code, code) in &wrong {
        for side in ["source", "target"] {
            let (source, target) = if side == "source" {
                (conninfo, &right[1])
            } else {
                (&right[0], conninfo)
            };
            let migration = Migration::between(source, target).options(["--database", &name]);
            for command in ["plan", "run"] {
                let outcome = migration.with_options(command).run();
                let text = the_error(&outcome, *exit_code, code);
                assert!(
                    text.contains("\nhint: ") || text.contains("did you mean"),
                    "no help\n{outcome}"
                );
                assert!(
                    text.contains(&format!("on the {side}")),
                    "the side is missing\n{outcome}"
                );
                assert!(
                    !outcome.stderr.contains("wrong-one"),
                    "the password is shown\n{outcome}"
                );
            }
            let left = migration.command(&["status"]).run();
            error(&left, 6, "journal-unusable");
        }
    }
    assert_eq!(inventory(&pair.target, &name), before);
    let migration = Migration::between(&right[0], &right[1]).options(["--database", &name]);
    completes(&migration, pair, &name);
}

#[test]
fn a_server_is_not_moved_to_itself() {
    let pair = servers();
    let name = database(pair, "itself");
    let source = &pair.source;
    let ways = [
        source.conninfo("postgres"),
        format!(
            "host=localhost port={} user=postgres dbname=postgres",
            source.port()
        ),
        source.conninfo_socket("postgres"),
    ];
    let before = inventory(source, &name);
    for one in &ways {
        for other in &ways {
            let migration = Migration::between(one, other).options(["--database", &name]);
            let outcome = migration.run();
            let text = error(&outcome, CHECK_FAILED, "check-failed");
            assert!(text.contains("same server"), "{outcome}");
        }
    }
    assert_eq!(inventory(source, &name), before);
}
