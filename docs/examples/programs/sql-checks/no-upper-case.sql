-- name: no-upper-case
-- summary: names of tables have no capitals
-- severity: warning
-- kind: capitals
-- message: table {schema}.{table} has capitals in its name
-- hint: ALTER TABLE … RENAME TO {lower}, or quote it everywhere
SELECT n.nspname AS schema, c.relname AS table, lower(c.relname) AS lower,
       format('table %I.%I', n.nspname, c.relname) AS object
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p')
  AND c.relname <> lower(c.relname)
  AND n.nspname NOT IN ('pg_catalog', 'information_schema')
ORDER BY 1, 2;
