-- Which roles pghaul's role can act as, in whole: with SET ROLE, and with their rights. Before PostgreSQL 16 a role with
-- CREATEROLE grants memberships in all roles but superusers; whether a member has the rights is an attribute of its own.
SELECT r.rolname::text AS rolname,
       r.rolsuper,
       pg_catalog.pg_has_role(r.oid, 'USAGE') AS member,
       NOT r.rolsuper AND me.rolinherit
       AND (me.rolcreaterole OR pg_catalog.pg_has_role(r.oid, 'MEMBER WITH ADMIN OPTION')) AS grantable
  FROM pg_catalog.pg_roles r
  JOIN pg_catalog.pg_roles me ON me.rolname = current_user
