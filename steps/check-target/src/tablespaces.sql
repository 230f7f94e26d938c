-- The tablespaces that this database and its relations use by name, without those that every server has.
SELECT s.spcname::text AS name, pg_catalog.count(u.relation) AS relations
  FROM (SELECT c.reltablespace AS oid, c.oid AS relation
          FROM pg_catalog.pg_class c
          JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE c.reltablespace <> 0
           AND c.relkind IN ('r', 'p', 'i', 'I', 'm')
           AND n.nspname NOT IN ('pg_catalog', 'pg_toast', 'information_schema')
        UNION ALL
        SELECT d.dattablespace, NULL
          FROM pg_catalog.pg_database d
         WHERE d.datname = pg_catalog.current_database()) u
  JOIN pg_catalog.pg_tablespace s ON s.oid = u.oid
 WHERE s.spcname NOT IN ('pg_default', 'pg_global')
 GROUP BY s.spcname
 ORDER BY s.spcname::text COLLATE "C"
