-- Languages that users have created, without those that extensions bring: they are the check `extensions`'; and without those
-- whose functions are all users' own: the archive creates them, and then the language.
SELECT l.lanname::text
  FROM pg_catalog.pg_language l
 WHERE l.lanispl
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                    WHERE d.classid = 'pg_catalog.pg_language'::pg_catalog.regclass
                      AND d.objid = l.oid AND d.deptype = 'e')
   AND EXISTS (SELECT
                 FROM pg_catalog.unnest(ARRAY[l.lanplcallfoid, l.laninline, l.lanvalidator]) AS f (oid)
                WHERE f.oid <> 0
                  AND (f.oid < 16384
                       OR EXISTS (SELECT FROM pg_catalog.pg_depend d
                                   WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
                                     AND d.objid = f.oid AND d.deptype = 'e')))
 ORDER BY l.lanname::text COLLATE "C"
