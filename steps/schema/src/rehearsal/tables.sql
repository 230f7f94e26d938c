-- The tables with rows, and the columns that a row is given by: no generated ones. Tables of extensions and those that name
-- roles, which the target may lack, are left out. Where indexes or statistics have expressions, the planner would evaluate
-- what it can of them.
SELECT n.nspname::text AS schema,
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
                      AND r.atttypid IN ('pg_catalog.regrole'::pg_catalog.regtype,
                                         'pg_catalog.regrole[]'::pg_catalog.regtype,
                                         'pg_catalog.aclitem'::pg_catalog.regtype,
                                         'pg_catalog.aclitem[]'::pg_catalog.regtype))
 GROUP BY n.nspname, c.relname, c.oid
 ORDER BY c.oid
