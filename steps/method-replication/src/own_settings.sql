-- The settings that the current role has in this database, one row at most.
SELECT s.setconfig
  FROM pg_catalog.pg_db_role_setting s
 WHERE s.setdatabase = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
   AND s.setrole = (SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = current_user)
