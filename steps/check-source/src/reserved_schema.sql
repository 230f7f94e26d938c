-- A row if there is a schema pghaul: whether it looks like ours.
SELECT EXISTS (SELECT
                 FROM pg_catalog.pg_class c
                WHERE c.relnamespace = n.oid AND c.relname = 'owner' AND c.relkind = 'r')
  FROM pg_catalog.pg_namespace n
 WHERE n.nspname = 'pghaul'
