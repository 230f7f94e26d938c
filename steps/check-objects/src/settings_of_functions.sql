-- The names of the settings that functions set, without those of extensions and without the functions of extensions and sessions.
SELECT pg_catalog.split_part(c.line, '=', 1) AS name,
       pg_catalog.array_agg(CASE pg_catalog.to_jsonb(p) ->> 'prokind' WHEN 'p' THEN 'PROCEDURE ' ELSE 'FUNCTION ' END
                            || p.oid::pg_catalog.regprocedure::text
                            ORDER BY p.oid) AS functions
  FROM pg_catalog.pg_proc p
 CROSS JOIN LATERAL pg_catalog.unnest(p.proconfig) AS c (line)
 WHERE pg_catalog.strpos(pg_catalog.split_part(c.line, '=', 1), '.') = 0
   AND p.pronamespace <> 'pg_catalog'::pg_catalog.regnamespace
   AND p.pronamespace NOT IN (SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname ~ '^pg_(toast|temp)')
   AND NOT EXISTS (SELECT
                     FROM pg_catalog.pg_depend d
                    WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid AND d.deptype = 'e')
 GROUP BY 1
 ORDER BY 1
