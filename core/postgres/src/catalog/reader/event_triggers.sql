-- Event triggers but for those of extensions, which come and go with them.
SELECT t.evtname::text,
       t.evtevent::text,
       t.evtenabled::text,
       pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(p.proname),
       coalesce(t.evttags, '{}')
  FROM pg_catalog.pg_event_trigger t
  JOIN pg_catalog.pg_proc p ON p.oid = t.evtfoid
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
 WHERE NOT EXISTS (SELECT
                     FROM pg_catalog.pg_depend d
                    WHERE d.classid = 'pg_catalog.pg_event_trigger'::pg_catalog.regclass
                      AND d.objid = t.oid
                      AND d.deptype = 'e')
 ORDER BY t.evtname::text COLLATE "C"
