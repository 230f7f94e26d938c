-- GRANT for each right on the schema that was once public (its oid is fixed), that its owner does not have by himself.
SELECT pg_catalog.format('GRANT %s ON SCHEMA %I TO %s%s',
                         pg_catalog.string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type DESC),
                         n.nspname,
                         CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(g.rolname::text) END,
                         CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
  FROM pg_catalog.pg_namespace n,
       pg_catalog.aclexplode(n.nspacl) AS a
  LEFT JOIN pg_catalog.pg_roles g ON g.oid = a.grantee
 WHERE n.oid = 2200
   AND n.nspname <> 'public'
   AND a.grantee <> n.nspowner
   AND (a.grantee = 0 OR g.oid IS NOT NULL)
 GROUP BY n.nspname, a.grantee, g.rolname, a.is_grantable
 ORDER BY a.grantee
