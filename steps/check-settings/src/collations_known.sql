-- Which of the system's collations named in $1 this server has for databases of the encoding $2, with the version of
-- the library that they come from.
SELECT l.collname::text AS name, pg_catalog.max(pg_catalog.pg_collation_actual_version(l.oid)) AS actual
  FROM pg_catalog.pg_collation l
 WHERE l.collnamespace = 'pg_catalog'::pg_catalog.regnamespace
   AND l.collname = ANY ($1::text[])
   AND l.collencoding IN (-1, $2)
 GROUP BY l.collname
