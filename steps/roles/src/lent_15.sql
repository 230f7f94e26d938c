-- Of these roles, those that pghaul's role is a member of.
SELECT r.rolname::text
  FROM pg_catalog.pg_auth_members m
  JOIN pg_catalog.pg_roles r ON r.oid = m.roleid
  JOIN pg_catalog.pg_roles me ON me.oid = m.member
 WHERE me.rolname = current_user
   AND r.rolname::text = ANY ($1::text[])
 ORDER BY r.rolname::text COLLATE "C"
