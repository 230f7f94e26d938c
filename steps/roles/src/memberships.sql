-- Memberships. From PostgreSQL 16 on, several roles may have granted the same one with other options; who did is told but for the
-- bootstrap superuser, who is the grantor by default. {inherit}, {set} and {grantor} depend on the version.
SELECT g.rolname::text AS role,
       u.rolname::text AS member,
       pg_catalog.bool_or(m.admin_option) AS admin,
       pg_catalog.bool_or({inherit}) AS inherit,
       pg_catalog.bool_or({set}) AS set,
       {grantor} AS grantor
  FROM pg_catalog.pg_auth_members m
  JOIN pg_catalog.pg_roles g ON g.oid = m.roleid
  JOIN pg_catalog.pg_roles u ON u.oid = m.member
 GROUP BY g.rolname, u.rolname, {grantor}
 ORDER BY g.rolname::text COLLATE "C", u.rolname::text COLLATE "C", ({grantor})::text COLLATE "C" NULLS FIRST
