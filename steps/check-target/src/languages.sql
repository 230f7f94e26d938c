-- Languages that users have created, without those that extensions bring: they are the check `extensions`'.
SELECT l.lanname::text
  FROM pg_catalog.pg_language l
 WHERE l.lanispl
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                    WHERE d.classid = 'pg_catalog.pg_language'::pg_catalog.regclass
                      AND d.objid = l.oid AND d.deptype = 'e')
 ORDER BY l.lanname::text COLLATE "C"
