-- The user mappings whose options the role may not read. The view pg_user_mappings, which pg_dump reads, leaves them out, as if there
-- were none: its condition stands here again.
SELECT CASE m.umuser WHEN 0 THEN NULL ELSE m.usename::text END AS role, m.srvname::text AS server
  FROM pg_catalog.pg_user_mappings m
  JOIN pg_catalog.pg_foreign_server s ON s.oid = m.srvid
 WHERE m.umoptions IS NULL
   AND NOT ((SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname = current_user)
            OR m.umuser = 0 AND pg_catalog.pg_has_role(s.srvowner, 'USAGE')
            OR m.umuser <> 0 AND m.usename = current_user
               AND (pg_catalog.pg_has_role(s.srvowner, 'USAGE') OR pg_catalog.has_server_privilege(s.oid, 'USAGE')))
 ORDER BY m.srvname::text COLLATE "C", m.usename::text COLLATE "C"
