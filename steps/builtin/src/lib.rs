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
        .with_step(pghaul_copy_step::DeferredCopy)
        .with_step(pghaul_schema::Indexes)
        .with_step(pghaul_schema::SnapshotIndexes(First))
        .with_step(pghaul_schema::SnapshotIndexes(Second))
        .with_step(pghaul_schema::Constraints)
        .with_step(pghaul_schema::PostData)
        .with_step(pghaul_schema::Matviews)
        .with_step(pghaul_large_objects::LargeObjects)
        .with_step(pghaul_sequences::Sequences)
        .with_step(pghaul_drift::TargetDefinitions)
        .with_step(pghaul_method_replication::Follow)
        .with_step(pghaul_method_dump::Complete)
}

/// Each package registers its own: a new check in one of them is nothing new here.
fn checks(registry: Registry) -> Registry {
    let packages: [fn(Registry) -> Registry; 17] = [
        pghaul_check_connection::register,
        pghaul_check_same_server::register,
        pghaul_check_version::register,
        pghaul_check_server::register,
        pghaul_schema::register_checks,
        pghaul_check_disk::register,
        pghaul_check_replication::register,
        pghaul_check_blockers::register,
        pghaul_check_selection::register,
        pghaul_check_source::register,
        pghaul_large_objects::register_checks,
        pghaul_check_target::register,
        pghaul_check_roles::register,
        pghaul_roles::register_checks,
        pghaul_check_settings::register,
        pghaul_check_wal::register,
        pghaul_check_objects::register,
    ];
    packages
        .into_iter()
        .fold(registry, |registry, register| register(registry))
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
            "source-definitions schema copy indexes large-objects post-data matviews sequences target-definitions complete"
        );
        assert_eq!(
            names(Route::ReplicationBySnapshot),
            "source-definitions schema publication slot snapshot-copy snapshot-indexes rest-publication rest-slot rest-copy rest-indexes \
             constraints subscription rest-subscription connection initial-copy deferred-copy large-objects post-data matviews \
             sequences target-definitions follow"
        );
        assert_eq!(
            names(Route::ReplicationByServer),
            "source-definitions schema keys publication slot subscription connection initial-copy copy deferred-copy large-objects post-data matviews \
             sequences target-definitions follow"
        );
    }
}
