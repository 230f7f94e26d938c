-- Slots that nobody reads, with the WAL that they keep from the source's disk, in bytes. PostgreSQL 13 and newer tell
-- whether a slot is lost; as JSON a missing column is NULL.
SELECT s.slot_name::text AS name,
       coalesce(f.fields ->> 'wal_status' = 'lost', false) AS lost,
       coalesce(pg_catalog.pg_wal_lsn_diff(
           CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
                ELSE pg_catalog.pg_current_wal_lsn()
           END, s.restart_lsn), 0)::bigint AS bytes
  FROM pg_catalog.pg_replication_slots s
 CROSS JOIN LATERAL (SELECT pg_catalog.to_jsonb(s) AS fields) f
 WHERE NOT s.active
   AND NOT s.temporary
   AND s.slot_name::text NOT LIKE $1
 ORDER BY 3 DESC, 1
