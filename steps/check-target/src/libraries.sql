-- The symbols that functions in C or of the server itself call, each with the functions and what uses those. Members of
-- extensions and temporary functions are left out; so is what $1 and $2 identify, which is not selected.
SELECT CASE l.lanname WHEN 'c' THEN p.probin END AS library,
       p.prosrc AS symbol,
       pg_catalog.array_agg(
           pg_catalog.format('%s%s', p.oid::pg_catalog.regprocedure,
                             (SELECT ' of ' || pg_catalog.string_agg(u.used, ', ' ORDER BY u.used)
                                FROM (SELECT DISTINCT pg_catalog.pg_describe_object(d.classid, d.objid, 0) AS used
                                        FROM pg_catalog.pg_depend d
                                       WHERE d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
                                         AND d.refobjid = p.oid
                                         AND d.classid IN ('pg_catalog.pg_cast'::pg_catalog.regclass,
                                                           'pg_catalog.pg_language'::pg_catalog.regclass,
                                                           'pg_catalog.pg_type'::pg_catalog.regclass,
                                                           'pg_catalog.pg_am'::pg_catalog.regclass,
                                                           'pg_catalog.pg_foreign_data_wrapper'::pg_catalog.regclass)) u))
           ORDER BY p.oid::pg_catalog.regprocedure::text COLLATE "C") AS functions
  FROM pg_catalog.pg_proc p
  JOIN pg_catalog.pg_language l ON l.oid = p.prolang AND l.lanname IN ('c', 'internal')
 WHERE p.oid >= 16384
   AND p.pronamespace NOT IN (SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname ~ '^pg_(toast|temp)')
   AND NOT EXISTS (SELECT FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.oid[]), pg_catalog.unnest($2::pg_catalog.oid[])) AS l (classid, objid)
                    WHERE l.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND l.objid = p.oid)
   -- What an aggregate itself would call is never called.
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_aggregate a WHERE a.aggfnoid = p.oid)
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e
                    WHERE e.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND e.objid = p.oid AND e.deptype IN ('e', 'i'))
 GROUP BY 1, 2
 ORDER BY 1, 2
