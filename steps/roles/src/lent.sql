-- Of these roles, those that pghaul's role has made itself a member of. What the server granted it when it created a role,
-- ADMIN alone, has another grantor.
SELECT r.rolname::text
  FROM pg_catalog.pg_auth_members m
  JOIN pg_catalog.pg_roles r ON r.oid = m.roleid
  JOIN pg_catalog.pg_roles me ON me.oid = m.member AND me.oid = m.grantor
 WHERE me.rolname = current_user
   AND r.rolname::text = ANY ($1::text[])
 ORDER BY r.rolname::text COLLATE "C"
