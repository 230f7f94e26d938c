-- The sequences of this database, and how many of them belong to identity columns. Those of extensions are left out.
SELECT pg_catalog.count(*) AS sequences,
       pg_catalog.count(*) FILTER (WHERE EXISTS (SELECT FROM pg_catalog.pg_depend d
                                                  WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                                                    AND d.objid = c.oid AND d.deptype = 'i')) AS identities
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'S'
   AND c.relpersistence <> 't'
   AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pghaul')
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                    WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                      AND d.objid = c.oid AND d.objsubid = 0 AND d.deptype = 'e')
