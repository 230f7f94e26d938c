-- GRANT for each right on a parameter that the bootstrap superuser does not have by himself.
SELECT pg_catalog.format('GRANT %s ON PARAMETER %I TO %s%s',
                         a.privilege_type,
                         p.parname,
                         CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(g.rolname::text) END,
                         CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END),
       g.rolname::text
  FROM pg_catalog.pg_parameter_acl p,
       pg_catalog.aclexplode(p.paracl) AS a
  LEFT JOIN pg_catalog.pg_roles g ON g.oid = a.grantee
 WHERE a.grantee <> 10
   AND (a.grantee = 0 OR g.oid IS NOT NULL)
 ORDER BY p.parname COLLATE "C", 1
