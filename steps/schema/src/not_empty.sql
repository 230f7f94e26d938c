-- Something in the database that neither PostgreSQL nor an extension made, and that is not of pghaul.
WITH of_extensions AS (
    SELECT d.classid, d.objid FROM pg_catalog.pg_depend d WHERE d.deptype = 'e'
), objects AS (
    SELECT 'relation' AS kind, c.relname::text AS name, c.relnamespace AS namespace,
           'pg_catalog.pg_class'::pg_catalog.regclass AS classid, c.oid AS objid
      FROM pg_catalog.pg_class c
    UNION ALL
    SELECT 'function', p.proname::text, p.pronamespace, 'pg_catalog.pg_proc'::pg_catalog.regclass, p.oid
      FROM pg_catalog.pg_proc p
    UNION ALL
    SELECT 'type', t.typname::text, t.typnamespace, 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid
      FROM pg_catalog.pg_type t
)
SELECT o.kind || ' ' || n.nspname || '.' || o.name AS object
  FROM objects o
  JOIN pg_catalog.pg_namespace n ON n.oid = o.namespace
 WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pghaul')
   AND n.nspname !~ '^pg_(toast|temp)'
   AND NOT EXISTS (SELECT FROM of_extensions e WHERE e.classid = o.classid AND e.objid = o.objid)
 ORDER BY o.kind, 1
 LIMIT 3
