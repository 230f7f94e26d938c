-- Extensions.
SELECT e.extname::text, e.extversion, n.nspname::text
  FROM pg_catalog.pg_extension e
  JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
 ORDER BY e.extname::text COLLATE "C"
