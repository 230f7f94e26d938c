-- Memberships, each once although several roles may have granted it from PostgreSQL 16 on. {inherit} and {set}
-- depend on the version.
SELECT g.rolname::text AS role,
       u.rolname::text AS member,
       pg_catalog.bool_or(m.admin_option) AS admin,
       pg_catalog.bool_or({inherit}) AS inherit,
       pg_catalog.bool_or({set}) AS set
  FROM pg_catalog.pg_auth_members m
  JOIN pg_catalog.pg_roles g ON g.oid = m.roleid
  JOIN pg_catalog.pg_roles u ON u.oid = m.member
 GROUP BY g.rolname, u.rolname
 ORDER BY g.rolname::text COLLATE "C", u.rolname::text COLLATE "C"
