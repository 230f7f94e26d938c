-- Which roles pghaul's role can act as, in whole: with SET ROLE, and with their rights. PostgreSQL 16 and newer.
SELECT r.rolname::text AS rolname,
       r.rolsuper,
       pg_catalog.pg_has_role(r.oid, 'SET') AND pg_catalog.pg_has_role(r.oid, 'USAGE') AS member,
       pg_catalog.pg_has_role(r.oid, 'MEMBER WITH ADMIN OPTION') AS grantable
  FROM pg_catalog.pg_roles r
