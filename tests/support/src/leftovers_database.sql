select 'publication ' || pubname from pg_catalog.pg_publication
union all
select 'schema pghaul' from pg_catalog.pg_namespace where nspname = 'pghaul'
union all
select 'event trigger ' || evtname from pg_catalog.pg_event_trigger where evtname like 'pghaul%';
