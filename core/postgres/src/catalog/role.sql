-- What the current role is and may do. Managed services give the right to replicate through membership.
SELECT r.rolname,
       r.rolsuper,
       r.rolreplication,
       r.rolcreatedb,
       r.rolcreaterole,
       r.rolbypassrls,
       ARRAY(SELECT m.rolname
             FROM pg_catalog.pg_roles AS m
             WHERE m.oid <> r.oid
               AND NOT r.rolsuper
               AND pg_catalog.pg_has_role(r.oid, m.oid, 'MEMBER')
             ORDER BY m.rolname),
       r.rolinherit
FROM pg_catalog.pg_roles AS r
WHERE r.rolname = current_user
