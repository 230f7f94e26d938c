-- Databases under the name that they have until they are ours, and sessions of runners.
SELECT 'database' AS what, d.datname::text AS name, NULL::text AS database, 0 AS pid
  FROM pg_catalog.pg_database d
 WHERE d.datname ~ '^pghaul_[a-z0-9]{8}_[0-9]+_new$'
UNION ALL
SELECT 'session', a.application_name, a.datname::text, a.pid
  FROM pg_catalog.pg_stat_activity a
 WHERE a.application_name ~ '^pghaul/[a-z0-9]{8}/[0-9]+$'
 ORDER BY 1, 2, 4
