-- Publications, logical slots and subscriptions of this database.
SELECT 'publication' AS kind, p.pubname::text AS name
  FROM pg_catalog.pg_publication p
UNION ALL
SELECT 'slot', s.slot_name::text
  FROM pg_catalog.pg_replication_slots s
 WHERE s.database = pg_catalog.current_database()
   AND NOT s.temporary
UNION ALL
SELECT 'subscription', u.subname::text
  FROM pg_catalog.pg_subscription u
 WHERE u.subdbid = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
 ORDER BY 1, 2
