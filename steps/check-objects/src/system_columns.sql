-- Columns of system views that views of users rest on.
SELECT rn.nspname::text AS schema,
       r.relname::text AS name,
       a.attname::text AS column_name,
       pg_catalog.array_agg(DISTINCT v.oid::pg_catalog.regclass::text) AS views
  FROM pg_catalog.pg_depend d
  JOIN pg_catalog.pg_rewrite w ON w.oid = d.objid
  JOIN pg_catalog.pg_class v ON v.oid = w.ev_class
  JOIN pg_catalog.pg_namespace vn ON vn.oid = v.relnamespace
  JOIN pg_catalog.pg_class r ON r.oid = d.refobjid
  JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace
  JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid AND a.attnum = d.refobjsubid
 WHERE d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
   AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
   AND d.refobjsubid > 0
   AND rn.nspname IN ('pg_catalog', 'information_schema')
   AND vn.nspname NOT IN ('pg_catalog', 'information_schema')
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend m
                    WHERE m.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                      AND m.objid = v.oid AND m.objsubid = 0 AND m.deptype = 'e')
 GROUP BY rn.nspname, r.relname, a.attname
 ORDER BY 1, 2, 3
