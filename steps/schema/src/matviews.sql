-- Populated materialized views, each with its depth: a view that reads another one is deeper than it.
-- Plain views in between are looked through.
WITH RECURSIVE reads (reader, read) AS (
    SELECT DISTINCT w.ev_class, d.refobjid
      FROM pg_catalog.pg_depend d
      JOIN pg_catalog.pg_rewrite w ON w.oid = d.objid
     WHERE d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
       AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
       AND d.refobjid <> w.ev_class
), depth (oid, depth) AS (
    SELECT c.oid, 0
      FROM pg_catalog.pg_class c
     WHERE c.relkind = 'm'
    UNION
    SELECT r.reader, depth.depth + 1
      FROM depth
      JOIN reads r ON r.read = depth.oid
      JOIN pg_catalog.pg_class c ON c.oid = r.reader AND c.relkind IN ('m', 'v')
)
SELECT n.nspname::text AS schema,
       c.relname::text AS name,
       pg_catalog.pg_get_userbyid(c.relowner)::text AS owner,
       max(depth.depth) AS depth
  FROM depth
  JOIN pg_catalog.pg_class c ON c.oid = depth.oid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'm' AND c.relispopulated
 GROUP BY 1, 2, 3
 ORDER BY depth, schema, name
