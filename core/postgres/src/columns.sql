-- The columns of each table and partitioned table.
SELECT n.nspname::text AS schema,
       c.relname::text AS name,
       coalesce(a.columns, '{}') AS columns
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN (SELECT a.attrelid, pg_catalog.array_agg(a.attname::text ORDER BY a.attnum) AS columns
               FROM pg_catalog.pg_attribute a
              WHERE a.attnum > 0
                AND NOT a.attisdropped
              GROUP BY a.attrelid) a ON a.attrelid = c.oid
 WHERE c.relkind IN ('r', 'p')
   AND c.relpersistence <> 't'
   AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pghaul')
   AND n.nspname !~ '^pg_(toast|temp)'
