-- Where each slot whose name begins like $1 is, as distances from the begin of the WAL in bytes. A lost slot is left out.
SELECT s.slot_name::text AS name,
       (CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
             ELSE pg_catalog.pg_current_wal_insert_lsn() END - '0/0'::pg_lsn)::bigint AS position,
       (s.confirmed_flush_lsn - '0/0'::pg_lsn)::bigint AS confirmed,
       (s.restart_lsn - '0/0'::pg_lsn)::bigint AS restart
  FROM pg_catalog.pg_replication_slots s
 WHERE pg_catalog.left(s.slot_name::text, pg_catalog.length($1::text)) = $1::text
   AND s.confirmed_flush_lsn IS NOT NULL
   AND s.restart_lsn IS NOT NULL
