-- Columns of tables and materialized views whose values are, or hold in arrays, domains, ranges or composites, values of
-- a type that does not travel; with the class that says why.
, found (oid, class) AS (
    SELECT t.oid,
           CASE WHEN t.typname IN ('abstime', 'reltime', 'tinterval') THEN 'removed'
                WHEN t.typname = 'unknown' THEN 'unknown'
                WHEN t.typtype = 'c' THEN 'row'
                ELSE 'reg'
           END
      FROM pg_catalog.pg_type t
      JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
     WHERE (n.nspname = 'pg_catalog'
            AND (t.typname IN ('abstime', 'reltime', 'tinterval', 'unknown', 'regclass', 'regcollation', 'regconfig',
                               'regdictionary', 'regnamespace', 'regoper', 'regoperator', 'regproc', 'regprocedure',
                               'regrole', 'regtype')
                 OR t.typtype = 'c'))
        OR (n.nspname = 'information_schema' AND t.typtype = 'c')
    UNION
    SELECT p.whole, f.class
      FROM found f
      JOIN parts p ON p.part = f.oid
)
SELECT f.class,
       n.nspname::text AS schema,
       c.relname::text AS name,
       a.attname::text AS column_name,
       pg_catalog.format_type(a.atttypid, a.atttypmod) AS type
  FROM found f
  JOIN pg_catalog.pg_attribute a ON a.atttypid = f.oid
  JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'm')
   AND c.relpersistence <> 't'
   AND a.attnum > 0
   AND NOT a.attisdropped
   AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pghaul')
   AND n.nspname !~ '^pg_(toast|temp)'
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                    WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                      AND d.objid = c.oid AND d.objsubid = 0 AND d.deptype = 'e')
 ORDER BY n.nspname::text COLLATE "C", c.relname::text COLLATE "C", a.attnum
