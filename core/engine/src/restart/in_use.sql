-- Sessions of others in this database.
SELECT pg_catalog.count(*)
  FROM pg_catalog.pg_stat_activity a
 WHERE a.datname = pg_catalog.current_database()
   AND a.usesysid IS NOT NULL
   AND a.pid <> pg_catalog.pg_backend_pid()
   AND pg_catalog.left(a.application_name, 7) <> 'pghaul/'
