-- Settings that make a server give up a slot or a connection, in bytes and seconds; NULL where it has no such setting or
-- it is off. The units differ between versions.
WITH settings AS (
    SELECT s.name,
           s.setting::float8 * CASE s.unit
                                    WHEN 'MB' THEN 1048576
                                    WHEN 'min' THEN 60
                                    WHEN 'ms' THEN 0.001
                                    ELSE 1
                                END AS value
      FROM pg_catalog.pg_settings s
     WHERE s.name IN ('max_slot_wal_keep_size', 'idle_replication_slot_timeout', 'wal_sender_timeout', 'wal_receiver_timeout')
)
SELECT pg_catalog.max(s.value) FILTER (WHERE s.name = 'max_slot_wal_keep_size' AND s.value >= 0)::bigint AS keep_bytes,
       pg_catalog.max(s.value) FILTER (WHERE s.name = 'idle_replication_slot_timeout' AND s.value > 0)::bigint AS idle_seconds,
       pg_catalog.max(s.value) FILTER (WHERE s.name = 'wal_sender_timeout' AND s.value > 0) AS sender_seconds,
       pg_catalog.max(s.value) FILTER (WHERE s.name = 'wal_receiver_timeout' AND s.value > 0) AS receiver_seconds
  FROM settings s
