-- Indexes of users that PostgreSQL has marked as invalid. Those of partitioned tables may be, until every partition has
-- one.
SELECT i.indexrelid::pg_catalog.regclass::text AS name
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE NOT i.indisvalid
   AND c.relkind = 'i'
   AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pghaul')
   AND n.nspname !~ '^pg_(toast|temp)'
 ORDER BY 1
