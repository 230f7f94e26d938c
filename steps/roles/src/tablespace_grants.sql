-- GRANT for each right on a tablespace that its owner does not have by himself.
SELECT pg_catalog.format('GRANT %s ON TABLESPACE %I TO %s%s',
                         a.privilege_type,
                         t.spcname,
                         CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(g.rolname::text) END,
                         CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END),
       g.rolname::text
  FROM pg_catalog.pg_tablespace t,
       pg_catalog.aclexplode(t.spcacl) AS a
  LEFT JOIN pg_catalog.pg_roles g ON g.oid = a.grantee
 WHERE a.grantee <> t.spcowner
   AND (a.grantee = 0 OR g.oid IS NOT NULL)
   AND t.spcname !~ '^pg_'
 ORDER BY t.spcname::text COLLATE "C", 1
