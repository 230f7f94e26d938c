-- What COPY must know of the relations with the given oids: which columns it may name, and their size.
-- Generated columns are computed on the target. `attgenerated` came with PostgreSQL 12.
SELECT c.oid,
       n.nspname::text AS schema,
       c.relname::text AS name,
       pg_catalog.pg_table_size(c.oid) AS bytes,
       pg_catalog.pg_relation_filenode(c.oid) AS file_node,
       coalesce(
           (SELECT pg_catalog.array_agg(a.attname::text ORDER BY a.attnum)
              FROM pg_catalog.pg_attribute a
             WHERE a.attrelid = c.oid
               AND a.attnum > 0
               AND NOT a.attisdropped
               AND coalesce(pg_catalog.to_jsonb(a) ->> 'attgenerated', '') = ''),
           '{}') AS columns
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r'
   AND c.relpersistence <> 't'
   AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pghaul')
   AND n.nspname !~ '^pg_(toast|temp)'
