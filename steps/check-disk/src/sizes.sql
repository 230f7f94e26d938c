-- The size of each database named in $1 that we may measure: CONNECT on it, or the role that reads all statistics.
SELECT d.datname::text AS name,
       pg_catalog.pg_database_size(d.oid) AS bytes
  FROM pg_catalog.pg_database d
 WHERE d.datname = ANY ($1::text[])
   AND (pg_catalog.has_database_privilege(d.oid, 'CONNECT')
        OR pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE'))
