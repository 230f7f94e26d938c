-- The size of every table that holds rows of users: its main fork and TOAST, without indexes.
SELECT n.nspname::text AS schema,
       c.relname::text AS name,
       pg_catalog.pg_table_size(c.oid) AS bytes
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r'
   AND c.relpersistence <> 't'
   AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pghaul')
   AND n.nspname !~ '^pg_(toast|temp)'
