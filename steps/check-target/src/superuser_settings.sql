-- Settings that functions of this database have, and the database itself: one row for each setting and object.
SELECT DISTINCT pg_catalog.lower(pg_catalog.split_part(s.setting, '=', 1)) AS setting,
       true AS of_function,
       pg_catalog.pg_describe_object('pg_catalog.pg_proc'::pg_catalog.regclass, p.oid, 0) AS object
  FROM pg_catalog.pg_proc p, pg_catalog.unnest(p.proconfig) s (setting)
 WHERE p.oid >= 16384
   AND p.pronamespace NOT IN (SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname ~ '^pg_(toast|temp)')
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                    WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid AND d.deptype = 'e')
UNION
SELECT pg_catalog.lower(pg_catalog.split_part(s.setting, '=', 1)),
       false,
       CASE r.setrole WHEN 0 THEN 'the database'
                      ELSE 'role ' || pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(r.setrole)::text) END
  FROM pg_catalog.pg_db_role_setting r
  JOIN pg_catalog.pg_database d ON d.oid = r.setdatabase AND d.datname = pg_catalog.current_database(),
       pg_catalog.unnest(r.setconfig) s (setting)
 ORDER BY 1, 2, 3
