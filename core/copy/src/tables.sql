-- What COPY must know of each table: which columns it may name, its size, where its rows are.
-- Generated columns, which came with PostgreSQL 12, are computed on the target.
SELECT c.oid,
       n.nspname::text AS schema,
       c.relname::text AS name,
       pg_catalog.pg_table_size(c.oid) AS bytes,
       pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::bigint AS blocks,
       pg_catalog.pg_relation_filenode(c.oid) AS file_node,
       pg_catalog.pg_stat_get_tuples_inserted(c.oid) + pg_catalog.pg_stat_get_tuples_updated(c.oid)
           + pg_catalog.pg_stat_get_tuples_deleted(c.oid) AS changes,
       coalesce(a.columns, '{}') AS columns
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN (SELECT a.attrelid, pg_catalog.array_agg(a.attname::text ORDER BY a.attnum) AS columns
               FROM pg_catalog.pg_attribute a
              WHERE a.attnum > 0
                AND NOT a.attisdropped
                AND {generated} = ''
              GROUP BY a.attrelid) a ON a.attrelid = c.oid
 WHERE c.relkind = 'r'
   AND c.relpersistence <> 't'
   AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pghaul')
   AND n.nspname !~ '^pg_(toast|temp)'
