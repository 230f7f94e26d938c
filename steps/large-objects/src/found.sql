-- How many large objects there are, how large they are together with the space that removed ones have left, and which of them
-- the role may not read.
WITH unreadable AS (
    SELECT m.oid
      FROM pg_catalog.pg_largeobject_metadata m
      JOIN pg_catalog.pg_roles r ON r.rolname = current_user
     WHERE NOT r.rolsuper
       AND pg_catalog.current_setting('lo_compat_privileges') = 'off'
       AND NOT EXISTS (SELECT
                         FROM pg_catalog.aclexplode(coalesce(m.lomacl, pg_catalog.acldefault('L', m.lomowner))) a
                        WHERE a.privilege_type = 'SELECT'
                          AND (a.grantee = 0 OR pg_catalog.pg_has_role(a.grantee, 'USAGE')))
)
SELECT (SELECT pg_catalog.count(*) FROM pg_catalog.pg_largeobject_metadata) AS count,
       pg_catalog.pg_table_size('pg_catalog.pg_largeobject') AS bytes,
       (SELECT pg_catalog.count(*) FROM unreadable) AS unreadable,
       ARRAY(SELECT u.oid FROM unreadable u ORDER BY u.oid LIMIT 5) AS first,
       current_user::text AS role
