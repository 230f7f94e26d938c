-- A subscription of this database; every column here is readable by everybody. {origin} depends on the version.
SELECT s.subname,
       s.subenabled,
       s.subslotname::pg_catalog.text,
       s.subpublications,
       pg_catalog.pg_get_userbyid(s.subowner),
       pg_catalog.obj_description(s.oid, 'pg_subscription'),
       {origin}::pg_catalog.text
FROM pg_catalog.pg_subscription AS s
JOIN pg_catalog.pg_database AS d ON d.oid = s.subdbid AND d.datname = pg_catalog.current_database()
WHERE s.subname = $1
