-- Schemas, tables and sequences that must be read and that the current role may not read; schemas first.
WITH relations AS (
    SELECT c.oid, c.relnamespace, c.relname, c.relkind
      FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p', 'S')
       AND c.relpersistence <> 't'
       AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pghaul')
       AND n.nspname !~ '^pg_(toast|temp)'
       -- Members of extensions, unless the extension says that their rows are the user's.
       AND (NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                         WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                           AND d.objid = c.oid AND d.objsubid = 0 AND d.deptype = 'e')
            OR EXISTS (SELECT FROM pg_catalog.pg_extension e WHERE c.oid = ANY (e.extconfig)))
)
SELECT 'schema' AS kind, n.nspname::text AS schema, NULL::text AS name
  FROM pg_catalog.pg_namespace n
 WHERE n.oid IN (SELECT r.relnamespace FROM relations r)
   AND NOT pg_catalog.has_schema_privilege(n.oid, 'USAGE')
UNION ALL
SELECT CASE r.relkind WHEN 'S' THEN 'sequence' ELSE 'table' END, n.nspname::text, r.relname::text
  FROM relations r
  JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
 WHERE NOT CASE r.relkind
               WHEN 'S' THEN pg_catalog.has_sequence_privilege(r.oid, 'SELECT')
               ELSE pg_catalog.has_table_privilege(r.oid, 'SELECT')
           END
 ORDER BY 1, 2, 3
