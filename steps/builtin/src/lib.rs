//! Registers every step and check that comes with pghaul, and nothing else.

use pghaul_contracts::Generation::{First, Second};
use pghaul_step::Registry;

/// Adds every step and check that comes with pghaul.
pub fn builtin(registry: Registry) -> Registry {
    let registry = checks(registry);
    registry
        .with_cluster_step(pghaul_drift::ClusterDefinitions)
        .with_cluster_step(pghaul_roles::Roles)
        .with_step(pghaul_drift::SourceDefinitions)
        .with_step(pghaul_schema::Schema)
        .with_step(pghaul_schema::Keys)
        .with_step(pghaul_method_replication::Publication(First))
        .with_step(pghaul_method_replication::Slot(First))
        .with_step(pghaul_method_replication::Subscription(First))
        .with_step(pghaul_method_replication::Publication(Second))
        .with_step(pghaul_method_replication::Slot(Second))
        .with_step(pghaul_method_replication::Subscription(Second))
        .with_step(pghaul_method_replication::Connection)
        .with_step(pghaul_method_replication::InitialCopy)
        .with_step(pghaul_copy_step::Copy)
        .with_step(pghaul_copy_step::SnapshotCopy(First))
        .with_step(pghaul_copy_step::SnapshotCopy(Second))
        .with_step(pghaul_schema::Indexes)
        .with_step(pghaul_schema::SnapshotIndexes(First))
        .with_step(pghaul_schema::SnapshotIndexes(Second))
        .with_step(pghaul_schema::Constraints)
        .with_step(pghaul_schema::PostData)
        .with_step(pghaul_schema::Matviews)
        .with_step(pghaul_sequences::Sequences)
        .with_step(pghaul_drift::TargetDefinitions)
        .with_step(pghaul_method_replication::Follow)
        .with_step(pghaul_method_dump::Complete)
}

fn checks(registry: Registry) -> Registry {
    registry
        .with_cluster_check(pghaul_check_connection::Connection)
        .with_cluster_check(pghaul_check_same_server::SameServer)
        .with_cluster_check(pghaul_check_version::Version)
        .with_cluster_check(pghaul_check_server::MinorVersions)
        .with_cluster_check(pghaul_check_server::Standby)
        .with_cluster_check(pghaul_check_server::Pooler)
        .with_cluster_check(pghaul_check_server::Encryption)
        .with_cluster_check(pghaul_check_server::Connections)
        .with_cluster_check(pghaul_check_server::Clocks)
        .with_cluster_check(pghaul_schema::PgDumpFits)
        .with_cluster_check(pghaul_check_disk::Disk)
        .with_cluster_check(pghaul_check_replication::ReplicationSource)
        .with_cluster_check(pghaul_check_replication::ReplicationTarget)
        .with_cluster_check(pghaul_check_blockers::LongTransactions::default())
        .with_cluster_check(pghaul_check_blockers::InactiveSlots::default())
        .with_cluster_check(pghaul_check_source::Truncate)
        .with_cluster_check(pghaul_check_target::TargetRights)
        .with_cluster_check(pghaul_check_roles::Roles)
        .with_cluster_check(pghaul_check_settings::SettingsDiffer)
        .with_cluster_check(pghaul_check_settings::TimeZones)
        .with_cluster_check(pghaul_check_wal::WalRetention)
        .with_cluster_check(pghaul_check_wal::Wraparound)
        .with_check(pghaul_check_connection::DatabaseConnection)
        .with_check(pghaul_check_replication::ReplicationDatabase)
        .with_check(pghaul_check_source::RowSecurity)
        .with_check(pghaul_check_source::Privileges)
        .with_check(pghaul_check_source::LargeObjects)
        .with_check(pghaul_check_source::ReservedSchema)
        .with_check(pghaul_check_source::Tables)
        .with_check(pghaul_check_source::TriggersAlways)
        .with_check(pghaul_check_source::Sequences)
        .with_check(pghaul_check_source::Partitions)
        .with_check(pghaul_check_target::TargetEmpty)
        .with_check(pghaul_check_target::Extensions)
        .with_check(pghaul_check_target::Languages)
        .with_check(pghaul_check_target::Locale)
        .with_check(pghaul_check_target::Tablespaces)
        .with_check(pghaul_check_blockers::ReplicationObjects)
        .with_check(pghaul_check_settings::LockTable)
        .with_check(pghaul_check_settings::Encoding)
        .with_check(pghaul_check_settings::Collations)
        .with_check(pghaul_check_settings::Money)
        .with_check(pghaul_check_objects::RemovedTypes)
        .with_check(pghaul_check_objects::RemovedObjects)
        .with_check(pghaul_check_objects::RestoreConflicts)
}

#[cfg(test)]
mod tests {
    use super::builtin;
    use pghaul_step::{Registry, Route};

    #[test]
    fn names_are_unique_and_the_order_is_possible() {
        builtin(Registry::new()).validate().unwrap();
    }

    #[test]
    fn the_steps_of_each_way_begin_in_this_order() {
        let registry = builtin(Registry::new());
        let names = |route| {
            let names = registry.step_names(route).unwrap();
            names
                .iter()
                .map(|n| n.as_str().to_owned())
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(
            names(Route::Dump),
            "source-definitions schema copy indexes post-data matviews sequences target-definitions complete"
        );
        assert_eq!(
            names(Route::ReplicationBySnapshot),
            "source-definitions schema publication slot snapshot-copy snapshot-indexes rest-publication rest-slot rest-copy rest-indexes \
             constraints subscription rest-subscription connection initial-copy post-data matviews sequences \
             target-definitions follow"
        );
        assert_eq!(
            names(Route::ReplicationByServer),
            "source-definitions schema keys publication slot subscription connection initial-copy copy post-data matviews \
             sequences target-definitions follow"
        );
    }
}
