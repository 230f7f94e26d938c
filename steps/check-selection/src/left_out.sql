-- What users have made in a database: PostgreSQL's own objects have smaller OIDs, and it makes no large objects. Members of extensions come with
-- these.
SELECT i.type || ' ' || i.identity AS object
  FROM (SELECT 1 AS place, 'pg_catalog.pg_class'::pg_catalog.regclass AS catalog, c.oid, c.relnamespace AS schema
          FROM pg_catalog.pg_class c
         WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c')
         UNION ALL
        SELECT 2, 'pg_catalog.pg_extension'::pg_catalog.regclass, e.oid, 0
          FROM pg_catalog.pg_extension e
         UNION ALL
        SELECT 3, 'pg_catalog.pg_proc'::pg_catalog.regclass, p.oid, p.pronamespace
          FROM pg_catalog.pg_proc p
         UNION ALL
        SELECT 4, 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid, t.typnamespace
          FROM pg_catalog.pg_type t
         WHERE t.typtype IN ('d', 'e')
         UNION ALL
        SELECT 5, 'pg_catalog.pg_namespace'::pg_catalog.regclass, n.oid, n.oid
          FROM pg_catalog.pg_namespace n
         UNION ALL
        SELECT 6, 'pg_catalog.pg_event_trigger'::pg_catalog.regclass, v.oid, 0
          FROM pg_catalog.pg_event_trigger v
         UNION ALL
        SELECT 7, 'pg_catalog.pg_largeobject'::pg_catalog.regclass, l.oid, 0
          FROM pg_catalog.pg_largeobject_metadata l
       ) AS o,
       LATERAL pg_catalog.pg_identify_object(o.catalog, o.oid, 0) i
 WHERE (o.oid >= 16384 OR o.place = 7)
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                    WHERE d.classid = o.catalog AND d.objid = o.oid AND d.deptype = 'e')
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_namespace n
                    WHERE n.oid = o.schema AND n.nspname ~ '^pg_(toast|temp)')
 ORDER BY o.place, i.identity
