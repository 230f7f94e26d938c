-- A replication slot. What is in braces depends on the version.
SELECT s.slot_name,
       s.slot_type,
       s.plugin,
       s.database,
       s.active_pid,
       s.restart_lsn,
       s.confirmed_flush_lsn,
       {wal_status},
       {safe_wal_size},
       {followed}
FROM pg_catalog.pg_replication_slots AS s
WHERE s.slot_name = $1
