-- The collations of this database that something depends on, and those that users made. Providers, locales and rules
-- came with newer versions; as JSON a missing column is NULL.
WITH used AS (
    SELECT DISTINCT d.refobjid AS oid
      FROM pg_catalog.pg_depend d
     WHERE d.refclassid = 'pg_catalog.pg_collation'::pg_catalog.regclass
       AND d.deptype <> 'e'
), of_extensions AS (
    SELECT d.objid AS oid
      FROM pg_catalog.pg_depend d
     WHERE d.classid = 'pg_catalog.pg_collation'::pg_catalog.regclass
       AND d.deptype = 'e'
)
SELECT n.nspname::text AS schema,
       l.collname::text AS name,
       n.nspname = 'pg_catalog' AS of_system,
       f.fields ->> 'collprovider' AS provider,
       l.collcollate::text AS collate,
       l.collctype::text AS ctype,
       coalesce(f.fields ->> 'colllocale', f.fields ->> 'colliculocale', l.collcollate::text) AS locale,
       coalesce((f.fields ->> 'collisdeterministic')::boolean, true) AS deterministic,
       f.fields ->> 'collicurules' AS rules,
       f.fields ->> 'collversion' AS recorded,
       pg_catalog.pg_collation_actual_version(l.oid) AS actual
  FROM pg_catalog.pg_collation l
  JOIN pg_catalog.pg_namespace n ON n.oid = l.collnamespace
 CROSS JOIN LATERAL (SELECT pg_catalog.to_jsonb(l) AS fields) f
 WHERE (l.oid IN (SELECT u.oid FROM used u) OR n.nspname NOT IN ('pg_catalog', 'information_schema', 'pghaul'))
   AND n.nspname !~ '^pg_temp'
   AND l.oid NOT IN (SELECT e.oid FROM of_extensions e)
 ORDER BY n.nspname::text COLLATE "C", l.collname::text COLLATE "C"
