-- Tables whose rows are copied and which catch up, with the slots that their workers use on the source. Before
-- PostgreSQL 14 there is no such state, and such slots are temporary.
SELECT n.nspname::text || '.' || c.relname::text AS name,
       'pg_' || s.oid || '_sync_' || r.srrelid || '_' || i.system_identifier AS slot
  FROM pg_catalog.pg_subscription s
  JOIN pg_catalog.pg_subscription_rel r ON r.srsubid = s.oid AND r.srsubstate = 'f'
  JOIN pg_catalog.pg_class c ON c.oid = r.srrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 CROSS JOIN pg_catalog.pg_control_system() i
 WHERE s.subname = $1
