-- pghaul's slots, and those of table workers, whose names only the subscription's oid ties to us. What came with
-- PostgreSQL 13 is read by name, so that the statement works on all versions.
SELECT s.slot_name::text AS name,
       s.database::text AS database,
       s.active AS active,
       pg_catalog.to_jsonb(s) ->> 'wal_status' AS wal_status,
       (w.now - s.restart_lsn)::bigint AS retained,
       (w.now - s.confirmed_flush_lsn)::bigint AS lag
  FROM pg_catalog.pg_replication_slots s
 CROSS JOIN (SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
                         ELSE pg_catalog.pg_current_wal_insert_lsn() END AS now) w
 WHERE s.slot_name ~ '^pghaul_[a-z0-9]{8}_'
    OR s.slot_name ~ '^pg_[0-9]+_sync_[0-9]+_[0-9]+$'
 ORDER BY s.slot_name
