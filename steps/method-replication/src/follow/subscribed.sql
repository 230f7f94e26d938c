-- The tables of a subscription, and how far each is: i(nit), d(ata), f(inished copy), s(ynced), r(eady).
SELECT n.nspname::text AS schema, c.relname::text AS name, r.srsubstate::text AS state
  FROM pg_catalog.pg_subscription s
  JOIN pg_catalog.pg_subscription_rel r ON r.srsubid = s.oid
  JOIN pg_catalog.pg_class c ON c.oid = r.srrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE s.subname = $1
