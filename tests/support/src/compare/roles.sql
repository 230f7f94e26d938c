select rolname,
       'super ' || rolsuper, 'inherit ' || rolinherit, 'createrole ' || rolcreaterole, 'createdb ' || rolcreatedb,
       'login ' || rolcanlogin, 'replication ' || rolreplication, 'bypassrls ' || rolbypassrls,
       'connection limit ' || rolconnlimit,
       'password ' || coalesce(rolpassword, 'none'),
       'valid until ' || coalesce(rolvaliduntil::text, 'ever'),
       'comment ' || coalesce(pg_catalog.shobj_description(oid, 'pg_authid'), 'none'),
       (select 'labels ' || coalesce(string_agg(l.provider || ' ' || l.label, ', ' order by l.provider), 'none')
          from pg_catalog.pg_shseclabel l
         where l.objoid = r.oid and l.classoid = 'pg_catalog.pg_authid'::regclass),
       (select 'settings ' || coalesce(string_agg(setting, ', ' order by setting), 'none')
          from pg_catalog.pg_db_role_setting s, unnest(setconfig) as setting
         where s.setrole = r.oid and s.setdatabase = 0),
       (select 'member of ' || coalesce(string_agg(distinct quote_ident(g.rolname)
                   || case when m.admin_option then ' with admin option' else '' end, ', '), 'none')
          from pg_catalog.pg_auth_members m join pg_catalog.pg_authid g on g.oid = m.roleid
         where m.member = r.oid)
  from pg_catalog.pg_authid r
 where rolname !~ '^pg_';
