-- The roles in which the current role may make others members, and those in which it may once it is a member WITH ADMIN OPTION:
-- all but superusers. $1 says whether CREATEROLE is enough.
SELECT r.rolname::text AS rolname,
       me.rolsuper OR NOT r.rolsuper
          AND (pg_catalog.pg_has_role(r.oid, 'MEMBER WITH ADMIN OPTION') OR $1 AND me.rolcreaterole) AS grantable
  FROM pg_catalog.pg_roles r
  JOIN pg_catalog.pg_roles me ON me.rolname = CURRENT_USER
 WHERE me.rolsuper OR NOT r.rolsuper
