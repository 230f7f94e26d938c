-- Functions that a change of a replicated table runs, and that belong to no superuser: in constraints, also of domains, generated
-- columns, defaults and expressions of indexes.
WITH evaluated (oid, catalog, object) AS (
    SELECT k.conrelid, 'pg_catalog.pg_constraint'::pg_catalog.regclass, k.oid
      FROM pg_catalog.pg_constraint k
    UNION ALL
    SELECT a.adrelid, 'pg_catalog.pg_attrdef'::pg_catalog.regclass, a.oid
      FROM pg_catalog.pg_attrdef a
    UNION ALL
    SELECT i.indrelid, 'pg_catalog.pg_class'::pg_catalog.regclass, i.indexrelid
      FROM pg_catalog.pg_index i
    UNION ALL
    SELECT c.attrelid, 'pg_catalog.pg_constraint'::pg_catalog.regclass, k.oid
      FROM pg_catalog.pg_attribute c
      JOIN pg_catalog.pg_constraint k ON k.contypid = c.atttypid
)
SELECT DISTINCT n.nspname::text AS schema, c.relname::text AS name,
       p.oid::pg_catalog.regprocedure::text AS function, r.rolname::text AS owner
  FROM evaluated e
  JOIN pg_catalog.pg_class c ON c.oid = e.oid AND c.relkind IN ('r', 'p') AND c.relpersistence = 'p'
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_depend d ON d.classid = e.catalog AND d.objid = e.object
                             AND d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
  JOIN pg_catalog.pg_proc p ON p.oid = d.refobjid
  JOIN pg_catalog.pg_roles r ON r.oid = p.proowner AND NOT r.rolsuper
 WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pghaul')
   AND n.nspname !~ '^pg_(toast|temp)'
 ORDER BY 1, 2, 3
