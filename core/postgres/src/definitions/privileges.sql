SELECT o.catalog, o.oid, o.schema, 'privileges',
       pg_catalog.concat_ws('|', {owner:o.owner},
           {rights:COALESCE(o.acl, pg_catalog.acldefault(o.kind, o.owner)):o.owner},
           o.columns)
  FROM (
        SELECT 'pg_catalog.pg_class'::pg_catalog.regclass AS catalog, c.oid, c.relnamespace AS schema, c.relowner AS owner, c.relacl AS acl,
               (CASE WHEN c.relkind = 'S' THEN 's' ELSE 'r' END)::"char" AS kind,
               (SELECT pg_catalog.string_agg(t.attname || ' ' || {rights:t.attacl:c.relowner}, ',' ORDER BY t.attname)
                  FROM pg_catalog.pg_attribute t
                 WHERE t.attrelid = c.oid AND t.attacl IS NOT NULL) AS columns
          FROM pg_catalog.pg_class c WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S')
        UNION ALL
        SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass, p.oid, p.pronamespace, p.proowner, p.proacl, 'f'::"char", NULL::pg_catalog.text FROM pg_catalog.pg_proc p
        UNION ALL
        SELECT 'pg_catalog.pg_namespace'::pg_catalog.regclass, n.oid, n.oid, n.nspowner, n.nspacl, 'n'::"char", NULL::pg_catalog.text FROM pg_catalog.pg_namespace n
        UNION ALL
        SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid, t.typnamespace, t.typowner, t.typacl, 'T'::"char", NULL::pg_catalog.text
          FROM pg_catalog.pg_type t WHERE t.typtype IN ('b', 'd', 'e', 'r') AND NOT (t.typelem <> 0 AND t.typlen = -1) AND t.typisdefined
        UNION ALL
        SELECT 'pg_catalog.pg_language'::pg_catalog.regclass, l.oid, 0::pg_catalog.oid, l.lanowner, l.lanacl, 'l'::"char", NULL::pg_catalog.text FROM pg_catalog.pg_language l
        UNION ALL
        SELECT 'pg_catalog.pg_foreign_data_wrapper'::pg_catalog.regclass, f.oid, 0::pg_catalog.oid, f.fdwowner, f.fdwacl, 'F'::"char", NULL::pg_catalog.text
          FROM pg_catalog.pg_foreign_data_wrapper f
        UNION ALL
        SELECT 'pg_catalog.pg_foreign_server'::pg_catalog.regclass, s.oid, 0::pg_catalog.oid, s.srvowner, s.srvacl, 'S'::"char", NULL::pg_catalog.text FROM pg_catalog.pg_foreign_server s
        UNION ALL
        SELECT 'pg_catalog.pg_database'::pg_catalog.regclass, d.oid, 0::pg_catalog.oid, d.datdba, d.datacl, 'd'::"char", NULL::pg_catalog.text
          FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()
       ) o
