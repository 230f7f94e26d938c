-- Triggers that fire for replicated rows (A, R), and enabled event triggers, which have no table. Those of
-- extensions come and go with them.
WITH members AS (
    SELECT d.classid, d.objid FROM pg_catalog.pg_depend d WHERE d.deptype = 'e'
)
SELECT n.nspname::text AS schema, c.relname::text AS table_name, t.tgname::text AS name
  FROM pg_catalog.pg_trigger t
  JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE NOT t.tgisinternal
   AND t.tgenabled IN ('A', 'R')
   AND n.nspname <> 'pghaul'
   AND NOT EXISTS (SELECT FROM members m
                    WHERE (m.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass AND m.objid = t.oid)
                       OR (m.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND m.objid = c.oid))
UNION ALL
SELECT NULL, NULL, e.evtname::text
  FROM pg_catalog.pg_event_trigger e
 WHERE e.evtenabled <> 'D'
   AND NOT EXISTS (SELECT FROM members m
                    WHERE m.classid = 'pg_catalog.pg_event_trigger'::pg_catalog.regclass AND m.objid = e.oid)
 ORDER BY 1, 2, 3
