-- What a slot has decoded (PostgreSQL 14 and newer), and when the server's statistics were last reset: a crash does so, too.
SELECT s.total_txns,
       s.total_bytes,
       pg_catalog.concat(extract(epoch FROM s.stats_reset), '/', extract(epoch FROM b.stats_reset)) AS reset
  FROM pg_catalog.pg_stat_replication_slots s
 CROSS JOIN pg_catalog.pg_stat_bgwriter b
 WHERE s.slot_name = $1
