-- Functions that a change of a replicated table runs, and that belong to no superuser: in constraints, also of domains, generated
-- columns, defaults and expressions of indexes.
WITH evaluated (oid, catalog, object) AS (
{evaluated})
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
