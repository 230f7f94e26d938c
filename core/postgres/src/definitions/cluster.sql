-- What all databases of a cluster share, but for what belongs to PostgreSQL itself.
SELECT d.kind, d.identity, d.facet, pg_catalog.left(pg_catalog.md5(COALESCE(d.definition, '')), 16) AS digest
  FROM (
        SELECT 'role' AS kind, pg_catalog.quote_ident({role:r.oid}) AS identity, 'definition' AS facet,
               pg_catalog.concat_ws('|', r.rolsuper, r.rolinherit, r.rolcreaterole, r.rolcreatedb, r.rolcanlogin, r.rolreplication,
                   r.rolbypassrls, r.rolconnlimit, r.rolvaliduntil) AS definition
          FROM pg_catalog.pg_roles r WHERE r.rolname !~ '^pg_'
        UNION ALL
        SELECT 'setting', pg_catalog.split_part(o, '=', 1) || ' of role ' || pg_catalog.quote_ident({role:r.oid}), 'definition', o
          FROM pg_catalog.pg_db_role_setting s
          JOIN pg_catalog.pg_roles r ON r.oid = s.setrole, pg_catalog.unnest(s.setconfig) o
         WHERE s.setdatabase = 0
        UNION ALL
        SELECT 'role', pg_catalog.quote_ident({role:r.oid}), 'memberships', pg_catalog.string_agg(
                   pg_catalog.concat_ws(' ', {role:g.oid}, m.admin_option, {membership_options}), ',' ORDER BY g.rolname, {membership_order})
          FROM pg_catalog.pg_auth_members m
          JOIN pg_catalog.pg_roles r ON r.oid = m.member
          JOIN pg_catalog.pg_roles g ON g.oid = m.roleid
         WHERE r.rolname !~ '^pg_'
         GROUP BY r.oid
        UNION ALL
        SELECT 'tablespace', pg_catalog.quote_ident(t.spcname), 'privileges',
               pg_catalog.concat_ws('|', {role:t.spcowner}, {rights:t.spcacl:t.spcowner})
          FROM pg_catalog.pg_tablespace t WHERE t.spcname !~ '^pg_'
        UNION ALL
        SELECT i.type, i.identity, 'comment', c.description
          FROM pg_catalog.pg_shdescription c, LATERAL pg_catalog.pg_identify_object(c.classoid, c.objoid, 0) i
         WHERE c.objoid >= 16384 AND i.type IN ('role', 'tablespace')
{parameters}{passwords}
       ) d
