(r.rolsuper
     OR pg_catalog.current_setting('lo_compat_privileges') = 'on'
     OR EXISTS (SELECT
                  FROM pg_catalog.aclexplode(coalesce(m.lomacl, pg_catalog.acldefault('L', m.lomowner))) a
                 WHERE a.privilege_type = 'SELECT'
                   AND (a.grantee = 0 OR pg_catalog.pg_has_role(a.grantee, 'USAGE'))))