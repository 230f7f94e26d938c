-- Relations whose rows replication does not keep up to date, with the class that explains it. Members of
-- extensions are left out: their rows are the extension's business.
SELECT n.nspname::text AS schema,
       c.relname::text AS name,
       CASE WHEN c.relkind = 'f' THEN 'foreign'
            WHEN c.relkind = 'm' THEN 'view'
            WHEN c.relpersistence = 'u' THEN 'unlogged'
            ELSE 'identity'
       END AS class
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'm', 'f')
   AND c.relpersistence <> 't'
   AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pghaul')
   AND n.nspname !~ '^pg_(toast|temp)'
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                    WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                      AND d.objid = c.oid AND d.objsubid = 0 AND d.deptype = 'e')
   AND (c.relkind IN ('m', 'f')
        OR c.relpersistence = 'u'
        OR (c.relreplident <> 'f'
            AND NOT EXISTS (SELECT FROM pg_catalog.pg_index i
                             WHERE i.indrelid = c.oid AND i.indimmediate AND i.indisvalid
                               AND CASE c.relreplident
                                       WHEN 'd' THEN i.indisprimary
                                       WHEN 'i' THEN i.indisreplident
                                       ELSE false
                                   END)))
 ORDER BY n.nspname::text COLLATE "C", c.relname::text COLLATE "C"
