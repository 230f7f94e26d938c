-- Whether pghaul's role may run programs on the server: as superuser, or from PostgreSQL 11 on by a role of that name.
SELECT coalesce(pg_catalog.bool_or(r.rolname = 'pg_execute_server_program' OR r.rolsuper), false)
  FROM pg_catalog.pg_roles r
 WHERE (r.rolname = 'pg_execute_server_program' AND pg_catalog.pg_has_role(r.oid, 'USAGE'))
    OR (r.rolname = current_user AND r.rolsuper)
