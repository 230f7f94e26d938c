-- Sessions of others in this database, and prepared transactions. `writes` says whether a transaction has an id: it has
-- written, or may commit what it writes. Background processes that are nobody's, such as autovacuum, do not count; those
-- of extensions and of subscriptions do. Every role may see these columns.
SELECT pg_catalog.format('session %s of role %I', a.pid, a.usename)
           || CASE WHEN a.application_name <> '' THEN pg_catalog.format(' (%s)', a.application_name) ELSE '' END AS what,
       a.backend_xid IS NOT NULL AS writes
  FROM pg_catalog.pg_stat_activity a
 WHERE a.datname = pg_catalog.current_database()
   AND a.usesysid IS NOT NULL
   AND a.pid <> pg_catalog.pg_backend_pid()
   AND pg_catalog.left(a.application_name, pg_catalog.length($1::text)) <> $1::text
   AND pg_catalog.left(a.application_name, pg_catalog.length($2::text)) <> $2::text
UNION ALL
SELECT pg_catalog.format('prepared transaction %L of role %I', p.gid, p.owner),
       true
  FROM pg_catalog.pg_prepared_xacts p
 WHERE p.database = pg_catalog.current_database()
 ORDER BY 1
