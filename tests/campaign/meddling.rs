//! How each trouble is made, and fixed.

use crate::fault::{Line, Server};
use crate::trouble::Trouble as T;
use crate::world::{MOVER, PASSWORD, World};
use pghaul_testkit::{Crowd, Way, wait_until};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

/// The password after it was changed.
pub(crate) const CHANGED: &str = "changed in the middle";

const SUBSCRIPTION: &str = "select subname from pg_subscription s
    join pg_database d on d.oid = subdbid and datname = current_database()";

const SWAP: &str = "begin;
    alter table first_hand rename to third_hand;
    alter table second_hand rename to first_hand;
    alter table third_hand rename to second_hand;
    commit";

const FAILING: &str = "create function failing() returns trigger language plpgsql as
        $$ begin raise exception 'whatever it is, it fails'; end $$;
    create trigger failing before update on keyed for each row execute function failing();
    alter table keyed enable always trigger failing";

/// A trouble that is there; some of them need something that stays.
pub(crate) struct Begun {
    _crowd: Option<Crowd>,
}

impl World {
    /// Makes it. `None` where this machine can't.
    pub(crate) fn begin(&self, what: T, database: &str) -> Option<Begun> {
        let mut crowd = None;
        match what {
            T::NoConnection => crowd = Some(Crowd::fill(&self.pair.target)),
            T::DiskFull => match &self.volume {
                Ok(volume) => volume.fill(),
                Err(why) => {
                    println!("SKIPPED: a full disk can't be made here: {why}");
                    return None;
                }
            },
            T::AddressChanged => {
                for line in [Line::ToSource, Line::ToTarget, Line::Back] {
                    self.proxy(line).set(Way::Refusing);
                    self.proxy(line).cut();
                }
            }
            T::NoWorker => self
                .pair
                .target
                .restart_with(&[("max_logical_replication_workers", "0")]),
            T::PasswordChanged | T::SelectRevoked | T::ReplicationRevoked | T::NoSession | T::NoSlot => {
                self.begin_on_source(what, database);
            }
            T::Restored(server) => self.restore(server, database),
            T::Promoted(server) => self.cluster(server).promote(),
            T::PartitionDetached | T::NamesSwapped | T::TypeAltered | T::SequenceNew | T::WorkerFails => {
                self.redefine(what, database);
            }
            _ => self.meddle(what, database),
        }
        Some(Begun { _crowd: crowd })
    }

    /// Rights and room on the source.
    fn begin_on_source(&self, what: T, database: &str) {
        let source = &self.pair.source;
        let sql = match what {
            T::PasswordChanged => format!("alter role {MOVER} password '{CHANGED}'"),
            T::SelectRevoked => format!("revoke select on keyed from {MOVER}"),
            T::ReplicationRevoked => format!("alter role {MOVER} noreplication"),
            T::NoSession => format!("alter role {MOVER} connection limit 0"),
            _ => return self.take_all_slots(),
        };
        source.psql(database, &sql);
        // What is open goes on with the rights that it had.
        if what != T::SelectRevoked {
            self.end_sessions(Server::Source, &format!("usename = '{MOVER}'"));
        }
    }

    /// Slots stay when a later one can't be made.
    fn take_all_slots(&self) {
        for number in 1..100 {
            let sql = format!("select pg_create_physical_replication_slot('taken_{number}')");
            if self.pair.source.try_psql("postgres", &sql).is_err() {
                return;
            }
        }
    }

    /// Somebody else does something to what is moved.
    fn meddle(&self, what: T, database: &str) {
        let (source, target) = (&self.pair.source, &self.pair.target);
        let subscription = || target.psql(database, SUBSCRIPTION);
        match what {
            T::SlotDropped => self.drop_slot(database),
            T::SlotInvalidated => self.invalidate_slot(database),
            T::PublicationDropped => {
                let name = source.psql(database, "select pubname from pg_publication");
                source.psql(database, &format!("drop publication {name}"));
            }
            T::SubscriptionDisabled => {
                target.psql(
                    database,
                    &format!("alter subscription {} disable", subscription()),
                );
            }
            T::SubscriptionDropped => {
                let name = subscription();
                for statement in ["disable", "set (slot_name = none)"] {
                    target.psql(database, &format!("alter subscription {name} {statement}"));
                }
                target.psql(database, &format!("drop subscription {name}"));
            }
            T::RowWritten => {
                target.psql(database, "insert into keyed values (777777)");
                source.psql(database, "insert into keyed values (777777)");
            }
            T::TableNew => drop(source.psql(database, "create table intruder (id int primary key)")),
            T::TableDropped => drop(source.psql(database, "drop table child")),
            // In the middle of a run, there may be no table or no database yet; and one that is done is no longer ours.
            T::TargetTableDropped => {
                let _ = target.try_psql(database, "begin; table pghaul.owner; drop table child; commit");
            }
            T::ColumnAdded => {
                let sql =
                    "alter table keyed add added int default 7; update keyed set added = 8 where id = 1";
                source.psql(database, sql);
            }
            T::TargetColumnDropped => {
                let drop = "begin; table pghaul.owner; alter table keyed drop word; commit";
                let _ = target.try_psql(database, drop);
                source.psql(database, "update keyed set word = 'late' where id = 2");
            }
            other => unreachable!("{other:?} is made elsewhere"),
        }
    }

    /// Somebody else defines something anew.
    fn redefine(&self, what: T, database: &str) {
        let (source, target) = (&self.pair.source, &self.pair.target);
        let sql = match what {
            T::PartitionDetached => {
                "alter table ledger detach partition ledger_2; insert into ledger_2 values (900, 12)"
            }
            T::NamesSwapped => SWAP,
            T::TypeAltered => {
                "alter table first_hand alter n type bigint; update first_hand set n = 3000000000 where id = 1"
            }
            T::SequenceNew => "create sequence fresh; select nextval('fresh') from generate_series(1, 3)",
            _ => {
                target.psql(database, FAILING);
                "update keyed set n = n + 1 where id in (1, -1)"
            }
        };
        source.psql(database, sql);
        if what == T::NamesSwapped {
            source.psql(database, "insert into first_hand values (900, 9)");
        }
    }

    /// What has arrived since it was kept, the other server knows.
    fn restore(&self, server: Server, database: &str) {
        let cluster = self.cluster(server);
        let kept = cluster.keep(&self.tablespaces(server));
        self.pair
            .source
            .psql(database, "insert into first_hand values (901, 1)");
        wait_until("the row has arrived", PATIENCE, || {
            let count = "select count(*) from first_hand where id = 901";
            self.pair.target.psql(database, count) == "1"
        });
        let written = self
            .pair
            .source
            .psql(database, "select pg_current_wal_insert_lsn()");
        let confirmed = format!(
            "select bool_and(confirmed_flush_lsn >= '{written}') from pg_replication_slots where database = '{database}'"
        );
        wait_until("the row is confirmed", PATIENCE, || {
            self.pair.source.psql(database, &confirmed) == "t"
        });
        cluster.put_back(kept);
    }

    fn drop_slot(&self, database: &str) {
        let source = &self.pair.source;
        let drop = format!(
            "select pg_terminate_backend(active_pid), pg_drop_replication_slot(slot_name) from pg_replication_slots where database = '{database}'"
        );
        let left = format!("select count(*) from pg_replication_slots where database = '{database}'");
        wait_until("the slot is dropped", PATIENCE, || {
            let _ = source.try_psql("postgres", &drop);
            source.psql("postgres", &left) == "0"
        });
    }

    /// The target is away, the source may keep next to nothing for it, and writes on.
    fn invalidate_slot(&self, database: &str) {
        let source = &self.pair.source;
        self.proxy(Line::Back).set(Way::Refusing);
        self.proxy(Line::Back).cut();
        source.psql("postgres", "alter system set max_slot_wal_keep_size = '1MB'");
        source.psql("postgres", "select pg_reload_conf()");
        let status = format!(
            "select coalesce(bool_and(wal_status = 'lost'), true) from pg_replication_slots where database = '{database}'"
        );
        wait_until("the slot is lost", PATIENCE, || {
            for statement in [
                "select pg_logical_emit_message(false, 'campaign', repeat('x', 100000))",
                "select pg_switch_wal()",
                "checkpoint",
            ] {
                source.psql("postgres", statement);
            }
            source.psql("postgres", &status) == "t"
        });
        source.psql("postgres", "alter system reset max_slot_wal_keep_size");
        source.psql("postgres", "select pg_reload_conf()");
        self.proxy(Line::Back).set(Way::Open);
    }

    /// Takes it away, as somebody would who has read the error.
    pub(crate) fn mend(&self, what: T, database: &str, begun: Begun) {
        let (source, target) = (&self.pair.source, &self.pair.target);
        drop(begun);
        match what {
            T::DiskFull => {
                if let Ok(volume) = &self.volume {
                    volume.free();
                }
            }
            T::NoWorker => target.restart_with(&[("max_logical_replication_workers", "12")]),
            T::SelectRevoked => {
                source.psql(database, &format!("grant select on keyed to {MOVER}"));
                // A schema that was taken meanwhile lacks the right.
                let _ = target.try_psql(database, &format!("grant select on keyed to {MOVER}"));
            }
            T::ReplicationRevoked => drop(source.psql(database, &format!("alter role {MOVER} replication"))),
            T::NoSession => drop(source.psql(
                database,
                &format!("alter role {MOVER} connection limit -1"),
            )),
            T::NoSlot => drop(source.psql(
                database,
                "select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name like 'taken%'",
            )),
            T::SubscriptionDisabled => {
                let name = target.psql(database, SUBSCRIPTION);
                target.psql(database, &format!("alter subscription {name} enable"));
            }
            T::RowWritten => drop(target.psql(database, "delete from keyed where id = 777777")),
            T::TableNew => drop(source.psql(database, "drop table intruder")),
            T::PartitionDetached => {
                let attach = "alter table ledger attach partition ledger_2 for values from (10) to (20)";
                source.psql(database, attach);
            }
            T::NamesSwapped => drop(source.psql(database, SWAP)),
            T::TypeAltered => drop(target.psql(database, "alter table first_hand alter n type bigint")),
            T::SequenceNew => {
                let grant = format!("grant select on sequence fresh to {MOVER}");
                source.psql(database, &grant);
                target.psql(database, &format!("create sequence fresh; {grant}"));
            }
            T::WorkerFails => drop(target.psql(database, "drop trigger failing on keyed; drop function failing()")),
            T::ColumnAdded => {
                // What the source has, or had when a change was written, the target needs.
                let add = "alter table keyed add if not exists added int default 7";
                let _ = target.try_psql(database, add);
            }
            _ => {}
        }
    }

    /// What a round has changed for the rounds after it.
    pub(crate) fn as_before(&self) {
        for line in [Line::ToSource, Line::ToTarget, Line::Back] {
            // A cut that no byte of this round has reached is not to come in a later one.
            self.proxy(line).mend();
        }
        let password = format!("alter role {MOVER} password '{PASSWORD}'");
        self.pair.source.psql("postgres", &password);
    }
}
