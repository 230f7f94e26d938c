-- Whether the schema public belongs to a role whose rights this session's role lacks, and what rights others have on it.
SELECT NOT pg_catalog.pg_has_role(n.nspowner, 'USAGE') AS foreign_owner,
       ARRAY(SELECT pg_catalog.format('%s to %s%s', a.privilege_type,
                                      CASE a.grantee WHEN 0 THEN 'PUBLIC'
                                                     ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)::text) END,
                                      CASE WHEN a.is_grantable THEN ' with grant option' ELSE '' END)
               FROM pg_catalog.aclexplode(COALESCE(n.nspacl, pg_catalog.acldefault('n', n.nspowner))) a
              WHERE a.grantee <> n.nspowner
              ORDER BY 1) AS rights
  FROM pg_catalog.pg_namespace n
 WHERE n.nspname = 'public'
