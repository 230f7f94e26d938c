-- The tables with rows, and the columns that a row is given by: no generated ones. Tables of extensions and those that name
-- roles, which the target may lack, are left out. Where indexes or statistics have expressions, the planner would evaluate
-- what it can of them.
WITH RECURSIVE parts (part, whole) AS (
    SELECT t.oid, t.typarray FROM pg_catalog.pg_type t WHERE t.typarray <> 0
    UNION ALL
    SELECT t.typbasetype, t.oid FROM pg_catalog.pg_type t WHERE t.typtype = 'd'
    UNION ALL
    SELECT a.atttypid, c.reltype
      FROM pg_catalog.pg_attribute a
      JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
     WHERE c.reltype <> 0 AND a.attnum > 0 AND NOT a.attisdropped
), naming_roles (type) AS (
    SELECT t.oid
      FROM pg_catalog.pg_type t
     WHERE t.oid IN ('pg_catalog.regrole'::pg_catalog.regtype, 'pg_catalog.aclitem'::pg_catalog.regtype)
    UNION
    SELECT p.whole FROM naming_roles r JOIN parts p ON p.part = r.type
)
SELECT c.oid AS oid,
       n.nspname::text AS schema,
       c.relname::text AS name,
       pg_catalog.array_agg(a.attname::text ORDER BY a.attnum) AS columns,
       pg_catalog.pg_table_size(c.oid) AS bytes,
       EXISTS (SELECT 1
                 FROM pg_catalog.pg_index i
                WHERE i.indrelid = c.oid
                  AND (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL))
       OR EXISTS (SELECT 1
                    FROM pg_catalog.pg_statistic_ext s
                   WHERE s.stxrelid = c.oid
                     AND pg_catalog.to_jsonb(s) ->> 'stxexprs' IS NOT NULL) AS has_expressions
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE c.relkind = 'r'
   AND c.relpersistence <> 't'
   AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pghaul')
   AND n.nspname !~ '^pg_(toast|temp)'
   AND coalesce(pg_catalog.to_jsonb(a) ->> 'attgenerated', '') = ''
   AND pg_catalog.has_table_privilege(c.oid, 'SELECT')
   AND pg_catalog.pg_relation_size(c.oid) > 0
   AND NOT EXISTS (SELECT 1
                     FROM pg_catalog.pg_depend d
                    WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                      AND d.objid = c.oid
                      AND d.deptype = 'e')
   AND NOT EXISTS (SELECT 1
                     FROM pg_catalog.pg_attribute r
                    WHERE r.attrelid = c.oid
                      AND r.attnum > 0
                      AND NOT r.attisdropped
                      AND r.atttypid IN (SELECT type FROM naming_roles))
 GROUP BY n.nspname, c.relname, c.oid
 ORDER BY c.oid
