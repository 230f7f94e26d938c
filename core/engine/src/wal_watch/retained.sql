-- How much WAL the server keeps for each slot whose name begins like $1, and for each of the table workers of the
-- server with the system identifier $2. A lost slot keeps none.
SELECT s.slot_name::text AS name,
       (CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
             ELSE pg_catalog.pg_current_wal_insert_lsn() END - s.restart_lsn)::bigint AS retained
  FROM pg_catalog.pg_replication_slots s
 WHERE (pg_catalog.left(s.slot_name::text, pg_catalog.length($1::text)) = $1::text
        OR s.slot_name ~ ('^pg_[0-9]+_sync_[0-9]+_' || $2::text || '$'))
   AND s.restart_lsn IS NOT NULL
 ORDER BY s.slot_name
