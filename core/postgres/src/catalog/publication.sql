-- A publication of this database. {truncate} and {via_root} depend on the version.
SELECT p.pubname,
       p.puballtables,
       p.pubinsert AND p.pubupdate AND p.pubdelete AND {truncate},
       {via_root},
       pg_catalog.pg_get_userbyid(p.pubowner),
       pg_catalog.obj_description(p.oid, 'pg_publication')
FROM pg_catalog.pg_publication AS p
WHERE p.pubname = $1
