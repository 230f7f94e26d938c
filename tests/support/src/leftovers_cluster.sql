select 'slot ' || slot_name || case when active then ', active' else '' end
  from pg_catalog.pg_replication_slots where not temporary
union all
select 'subscription ' || subname || ' in ' || datname
  from pg_catalog.pg_subscription s join pg_catalog.pg_database d on d.oid = s.subdbid
union all
select 'replication origin ' || roname from pg_catalog.pg_replication_origin
union all
select 'prepared transaction ' || gid || ' in ' || database from pg_catalog.pg_prepared_xacts
union all
select 'session ' || application_name || coalesce(' in ' || datname, '')
  from pg_catalog.pg_stat_activity where application_name like 'pghaul/%'
union all
select 'database ' || datname from pg_catalog.pg_database where datname like 'pghaul\_%'
union all
select 'role ' || rolname from pg_catalog.pg_roles where rolname like 'pghaul\_%';
