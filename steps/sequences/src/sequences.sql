-- Every sequence of users, with its definition: also of serial and identity columns; of an extension only where that
-- marks it as configuration, or its table, whose rows are moved with the values that it gave them; not of pghaul's schema.
SELECT c.oid,
       n.nspname::text AS schema,
       c.relname::text AS name,
       pg_catalog.format_type(s.seqtypid, NULL) AS type,
       s.seqstart AS start,
       s.seqincrement AS increment,
       s.seqmin AS minimum,
       s.seqmax AS maximum,
       s.seqcache AS cache,
       s.seqcycle AS cycle
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_sequence s ON s.seqrelid = c.oid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'S'
   AND c.relpersistence <> 't'
   AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pghaul')
   AND n.nspname !~ '^pg_(toast|temp)'
   AND (NOT EXISTS (SELECT
                      FROM pg_catalog.pg_depend d
                     WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                       AND d.objid = c.oid
                       AND d.deptype = 'e')
        OR EXISTS (SELECT FROM pg_catalog.pg_extension e WHERE c.oid = ANY (e.extconfig))
        OR EXISTS (SELECT
                     FROM pg_catalog.pg_depend d
                     JOIN pg_catalog.pg_extension e ON d.refobjid = ANY (e.extconfig)
                    WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                      AND d.objid = c.oid
                      AND d.deptype IN ('a', 'i')
                      AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass))
 ORDER BY n.nspname::text COLLATE "C", c.relname::text COLLATE "C"
