-- Only where the column may be read.
SELECT s.subconninfo
FROM pg_catalog.pg_subscription AS s
JOIN pg_catalog.pg_database AS d ON d.oid = s.subdbid AND d.datname = pg_catalog.current_database()
WHERE s.subname = $1
