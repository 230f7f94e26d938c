-- What objects of users and extensions depend on.
SELECT d.classid, d.objid, d.refclassid, d.refobjid, d.deptype::text
  FROM pg_catalog.pg_depend d
 WHERE d.deptype <> 'p'
   AND (d.objid >= 16384 OR d.classid = 'pg_catalog.pg_extension'::pg_catalog.regclass)
   AND (d.refobjid >= 16384
        OR d.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND d.refobjid = 2200
        OR d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass)
