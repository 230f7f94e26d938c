-- What users have made in the schemas of the server, which pg_dump leaves out.
SELECT i.type || ' ' || i.identity AS name, o.keeps_rows
  FROM (SELECT 'pg_catalog.pg_class'::pg_catalog.regclass AS classid, c.oid, c.relnamespace AS namespace, c.relkind IN ('r', 'p', 'S') AS keeps_rows
          FROM pg_catalog.pg_class c
         WHERE c.relkind NOT IN ('i', 'I', 't', 'c')
           -- The sequence of a column goes where its table goes.
           AND NOT (c.relkind = 'S' AND EXISTS (SELECT FROM pg_catalog.pg_depend d
                                                 WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                                                   AND d.objid = c.oid AND d.deptype = 'a'))
        UNION ALL
        SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass, p.oid, p.pronamespace, false FROM pg_catalog.pg_proc p
        UNION ALL
        SELECT 'pg_catalog.pg_operator'::pg_catalog.regclass, o.oid, o.oprnamespace, false FROM pg_catalog.pg_operator o
        UNION ALL
        SELECT 'pg_catalog.pg_ts_config'::pg_catalog.regclass, c.oid, c.cfgnamespace, false FROM pg_catalog.pg_ts_config c
        UNION ALL
        SELECT 'pg_catalog.pg_ts_dict'::pg_catalog.regclass, d.oid, d.dictnamespace, false FROM pg_catalog.pg_ts_dict d
        UNION ALL
        SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid, t.typnamespace, false
          FROM pg_catalog.pg_type t
          LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid
         WHERE t.typtype IN ('b', 'd', 'e', 'c') AND t.typelem = 0 AND coalesce(c.relkind = 'c', true)) AS o,
       pg_catalog.pg_identify_object(o.classid, o.oid, 0) AS i
 WHERE o.oid >= 16384
   AND o.namespace IN (SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname IN ('pg_catalog', 'information_schema'))
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                    WHERE d.classid = o.classid AND d.objid = o.oid AND d.deptype IN ('e', 'i'))
 ORDER BY 1
