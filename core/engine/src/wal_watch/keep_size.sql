-- How much WAL a slot may keep, in bytes; none before PostgreSQL 13 and where there is no limit.
SELECT s.setting::bigint * 1024 * 1024
  FROM pg_catalog.pg_settings s
 WHERE s.name = 'max_slot_wal_keep_size'
   AND s.setting <> '-1'
