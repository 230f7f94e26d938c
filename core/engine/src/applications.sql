-- Sessions in this database that are not ours.
SELECT count(*)
  FROM pg_catalog.pg_stat_activity a
 WHERE a.datname = pg_catalog.current_database()
   AND a.backend_type = 'client backend'
   AND a.pid <> pg_catalog.pg_backend_pid()
   AND pg_catalog.left(a.application_name, 7) <> 'pghaul/'
