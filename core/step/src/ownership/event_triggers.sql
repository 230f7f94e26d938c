-- Switches off the event triggers that fire always, and on again. From PostgreSQL 17 on, a setting of the session does.
SELECT coalesce(pg_catalog.string_agg(pg_catalog.format('ALTER EVENT TRIGGER %I DISABLE', evtname), '; '), '') AS off,
       coalesce(pg_catalog.string_agg(pg_catalog.format('ALTER EVENT TRIGGER %I ENABLE ALWAYS', evtname), '; '), '') AS on
  FROM pg_catalog.pg_event_trigger
 WHERE evtenabled = 'A'
   AND pg_catalog.current_setting('is_superuser') = 'on'
   AND pg_catalog.current_setting('server_version_num')::int < 170000
