-- The roles that own objects of this database, or that rights on them or policies name, with a few of the objects. $1 and $2
-- identify what is left out.
SELECT r.rolname::text AS role,
       (pg_catalog.array_agg(pg_catalog.pg_describe_object(s.classid, s.objid, 0) ORDER BY s.classid, s.objid))[1:3] AS objects
  FROM pg_catalog.pg_shdepend s
  JOIN pg_catalog.pg_roles r ON r.oid = s.refobjid
  JOIN pg_catalog.pg_database d ON d.datname = pg_catalog.current_database()
 WHERE s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass
   AND (s.dbid = d.oid OR s.dbid = 0 AND s.classid = 'pg_catalog.pg_database'::pg_catalog.regclass AND s.objid = d.oid)
   AND NOT EXISTS (SELECT FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.oid[]), pg_catalog.unnest($2::pg_catalog.oid[])) AS l (classid, objid)
                    WHERE l.classid = s.classid AND l.objid = s.objid)
 GROUP BY r.rolname
 ORDER BY r.rolname::text COLLATE "C"
