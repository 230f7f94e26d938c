-- Schemas of users.
SELECT n.nspname::text,
       pg_catalog.pg_get_userbyid(n.nspowner)::text,
       pg_catalog.has_schema_privilege(n.oid, 'USAGE')
  FROM pg_catalog.pg_namespace n
 WHERE {schema_of_users}
 ORDER BY n.nspname::text COLLATE "C"
