-- All roles but PostgreSQL's own; {password} depends on whether it can be read. rolconfig holds the settings for
-- all databases.
SELECT r.rolname::text AS rolname,
       r.rolsuper, r.rolcreatedb, r.rolcreaterole, r.rolcanlogin, r.rolreplication, r.rolbypassrls, r.rolinherit,
       r.rolconnlimit,
       r.rolvaliduntil::text AS valid_until,
       r.rolconfig,
       pg_catalog.shobj_description(r.oid, 'pg_authid') AS comment,
       ARRAY(SELECT l.provider FROM pg_catalog.pg_shseclabel l
              WHERE l.objoid = r.oid AND l.classoid = 'pg_catalog.pg_authid'::pg_catalog.regclass ORDER BY l.provider) AS label_providers,
       ARRAY(SELECT l.label FROM pg_catalog.pg_shseclabel l
              WHERE l.objoid = r.oid AND l.classoid = 'pg_catalog.pg_authid'::pg_catalog.regclass ORDER BY l.provider) AS labels,
       {password} AS password
  FROM pg_catalog.pg_roles r
 WHERE r.rolname !~ '^pg_'
 ORDER BY r.rolname::text COLLATE "C"
