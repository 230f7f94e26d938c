-- The version of a subscription's row. A system column needs the privilege for the whole table.
SELECT s.xmin::text
  FROM pg_catalog.pg_subscription s
  JOIN pg_catalog.pg_database d ON d.oid = s.subdbid AND d.datname = pg_catalog.current_database()
 WHERE s.subname = $1
