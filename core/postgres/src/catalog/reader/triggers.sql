-- Triggers that a user has made. $1 says whether definitions are wanted.
SELECT t.tgrelid,
       t.tgname::text,
       t.tgenabled::text,
       t.tgtype & 32 <> 0,
       EXISTS (SELECT
                 FROM pg_catalog.pg_depend d
                WHERE d.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass
                  AND d.objid = t.oid
                  AND d.deptype = 'e'),
       CASE WHEN $1::boolean THEN pg_catalog.pg_get_triggerdef(t.oid) END
  FROM pg_catalog.pg_trigger t
  JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE NOT t.tgisinternal
   AND {of_users}
 ORDER BY t.tgrelid, t.tgname::text COLLATE "C"
