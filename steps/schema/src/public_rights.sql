-- The owner of the schema public, whether the session's role lacks the owner's rights, and what rights others have.
SELECT pg_catalog.pg_get_userbyid(n.nspowner)::text AS owner,
       NOT pg_catalog.pg_has_role(n.nspowner, 'USAGE') AS foreign_owner,
       ARRAY(SELECT pg_catalog.format('%s %s %s', a.privilege_type, a.is_grantable,
                                      CASE a.grantee WHEN 0 THEN '' ELSE pg_catalog.pg_get_userbyid(a.grantee)::text END)
               FROM pg_catalog.aclexplode(COALESCE(n.nspacl, pg_catalog.acldefault('n', n.nspowner))) a
              WHERE a.grantee <> n.nspowner
              ORDER BY 1) AS rights
  FROM pg_catalog.pg_namespace n
 WHERE n.nspname = 'public'
