-- What a role is, one line for each trait, or one without where it has none, with a text that is the same where the
-- trait is. Texts may hold secrets: they are compared and never shown. `granted` is the role of a membership. `own`
-- are the server's first role and the role that is connected.
WITH r AS (
    SELECT r.*, r.oid = 10 OR r.rolname = CURRENT_USER AS own
      FROM pg_catalog.pg_roles r
     WHERE r.rolname !~ '^pg_'
)
SELECT r.rolname::text AS name, r.own, t.trait, t.granted, t.text
  FROM r
 LEFT JOIN LATERAL (
        SELECT a.trait, NULL::text AS granted, a.text
          FROM (VALUES ('SUPERUSER', r.rolsuper::text),
                       ('INHERIT', r.rolinherit::text),
                       ('CREATEROLE', r.rolcreaterole::text),
                       ('CREATEDB', r.rolcreatedb::text),
                       ('LOGIN', r.rolcanlogin::text),
                       ('REPLICATION', r.rolreplication::text),
                       ('BYPASSRLS', r.rolbypassrls::text),
                       ('CONNECTION LIMIT', r.rolconnlimit::text),
                       ('VALID UNTIL', coalesce(extract(epoch FROM r.rolvaliduntil)::text, 'infinity'))) AS a (trait, text)
         WHERE NOT r.own OR a.trait = 'SUPERUSER'
         UNION ALL
        SELECT 'comment', NULL, pg_catalog.shobj_description(r.oid, 'pg_authid')
         WHERE pg_catalog.shobj_description(r.oid, 'pg_authid') IS NOT NULL
         UNION ALL
        SELECT 'member of ' || pg_catalog.quote_ident(g.rolname), g.rolname::text, pg_catalog.bool_or(m.admin_option)::text
          FROM pg_catalog.pg_auth_members m
          JOIN pg_catalog.pg_roles g ON g.oid = m.roleid
         WHERE m.member = r.oid
         GROUP BY g.rolname
         UNION ALL
        SELECT 'setting ' || pg_catalog.split_part(c.line, '=', 1), NULL, c.line
          FROM pg_catalog.pg_db_role_setting s
         CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS c (line)
         WHERE s.setrole = r.oid AND s.setdatabase = 0
       ) AS t ON true
 UNION ALL
SELECT NULL, false, pg_catalog.split_part(c.line, '=', 1), NULL, c.line
  FROM pg_catalog.pg_db_role_setting s
 CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS c (line)
 WHERE s.setrole = 0 AND s.setdatabase = 0
 ORDER BY 1, 3
