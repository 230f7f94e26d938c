-- The tables of a subscription that its workers copy (d) or have copied, with their sizes on the target.
SELECT n.nspname::text AS schema,
       c.relname::text AS name,
       r.srsubstate = 'd' AS copying,
       CASE WHEN r.srsubstate = 'd' THEN 0 ELSE pg_catalog.pg_table_size(c.oid) END AS bytes
  FROM pg_catalog.pg_subscription s
  JOIN pg_catalog.pg_subscription_rel r ON r.srsubid = s.oid AND r.srsubstate <> 'i'
  JOIN pg_catalog.pg_class c ON c.oid = r.srrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE s.subname = $1
