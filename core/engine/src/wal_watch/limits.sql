-- What the server's settings say about how much WAL there may be, in bytes. The first came with PostgreSQL 13.
SELECT max(CASE WHEN s.name = 'max_slot_wal_keep_size' AND s.setting <> '-1'
                THEN s.setting::bigint * 1024 * 1024 END) AS keep_size,
       max(CASE WHEN s.name = 'max_wal_size' THEN s.setting::bigint * 1024 * 1024 END) AS wal_size
  FROM pg_catalog.pg_settings s
 WHERE s.name IN ('max_slot_wal_keep_size', 'max_wal_size')
