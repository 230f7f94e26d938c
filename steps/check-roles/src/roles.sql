-- The source's roles, without PostgreSQL's own. The form of a password is asked for where it can be read.
SELECT r.rolname::text AS name,
       r.rolname ~ '^pg_' AS reserved,
       r.rolsuper,
       r.rolreplication,
       r.rolbypassrls,
       r.rolcreatedb,
       r.rolcanlogin,
       {hash} AS hash
  FROM pg_catalog.pg_roles r
 WHERE r.oid >= 16384 OR r.rolname !~ '^pg_'
 ORDER BY r.rolname::text COLLATE "C"
