-- The relations that are members of extensions, each with its name alone: a script may put them in any schema.
SELECT e.extname::text AS extension,
       CASE c.relkind WHEN 'r' THEN 'table'
                      WHEN 'p' THEN 'table'
                      WHEN 'S' THEN 'sequence'
                      WHEN 'v' THEN 'view'
                      WHEN 'm' THEN 'materialized view'
                      ELSE 'foreign table' END AS kind,
       c.relname::text AS name,
       c.oid::pg_catalog.regclass::text AS qualified
  FROM pg_catalog.pg_depend d
  JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
  JOIN pg_catalog.pg_class c ON c.oid = d.objid
 WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
   AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
   AND d.deptype = 'e'
   AND c.relkind IN ('r', 'p', 'S', 'v', 'm', 'f')
 ORDER BY 1, 4
