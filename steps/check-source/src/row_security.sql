-- Tables whose policies apply to the current role, which has no BYPASSRLS: it neither owns them, itself or by
-- membership, nor would that help where the policies are forced on the owner.
SELECT n.nspname::text AS schema,
       c.relname::text AS name,
       pg_catalog.pg_get_userbyid(c.relowner)::text AS owner,
       c.relforcerowsecurity AS forced
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p')
   AND c.relrowsecurity
   AND c.relpersistence <> 't'
   AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pghaul')
   AND (c.relforcerowsecurity OR NOT pg_catalog.pg_has_role(c.relowner, 'USAGE'))
 ORDER BY n.nspname::text COLLATE "C", c.relname::text COLLATE "C"
