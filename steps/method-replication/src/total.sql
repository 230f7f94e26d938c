-- The size of all tables that the source's users have logged in the WAL, with TOAST, without indexes.
SELECT coalesce(sum(pg_catalog.pg_table_size(c.oid)), 0)::bigint
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r'
   AND c.relpersistence = 'p'
   AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pghaul')
   AND n.nspname !~ '^pg_(toast|temp)'
