-- Triggers that fire although the changes come from replication, and every event trigger.
SELECT n.nspname::text AS schema, c.relname::text AS table_name, t.tgname::text AS name
  FROM pg_catalog.pg_trigger t
  JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE t.tgenabled IN ('A', 'R') AND NOT t.tgisinternal
UNION ALL
SELECT NULL, NULL, e.evtname::text
  FROM pg_catalog.pg_event_trigger e
 WHERE e.evtenabled <> 'D'
   AND NOT EXISTS (SELECT
                     FROM pg_catalog.pg_depend d
                    WHERE d.classid = 'pg_catalog.pg_event_trigger'::pg_catalog.regclass
                      AND d.objid = e.oid
                      AND d.deptype = 'e')
 ORDER BY 1, 2, 3
