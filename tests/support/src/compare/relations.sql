-- Every relation with rows or a state: kind, name, its columns as one row, whether it is populated.
--
-- Floating point and geometric columns, and ranges of them, are taken in their binary form: servers before version 12
-- write more digits than later ones. Composites that contain such types are not, so they may look different there.
set search_path = '';
select c.relkind,
       format('%I.%I', n.nspname, c.relname),
       'row(' || coalesce((
           select string_agg(
                      case when b.oid in ('float4'::regtype, 'float8'::regtype, 'float4[]'::regtype, 'float8[]'::regtype,
                                          'point'::regtype, 'line'::regtype, 'lseg'::regtype, 'box'::regtype,
                                          'path'::regtype, 'polygon'::regtype, 'circle'::regtype)
                                or g.rngsubtype in ('float4'::regtype, 'float8'::regtype)
                           then format('pg_catalog.%s(r.%I::%s)', b.typsend, a.attname, format_type(b.oid, null))
                           else format('r.%I', a.attname) end,
                      ', ' order by a.attnum)
             from pg_catalog.pg_attribute a
             join pg_catalog.pg_type t on t.oid = a.atttypid
             join pg_catalog.pg_type b on b.oid = case when t.typtype = 'd' then t.typbasetype else t.oid end
             left join pg_catalog.pg_range g on g.rngtypid = b.oid
            where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped), '') || ')',
       c.relispopulated
  from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
 where c.relkind in ('r', 'm', 'S')
   and c.relpersistence <> 't'
   and n.nspname !~ '^pg_'
   and n.nspname not in ('information_schema', 'pghaul')
 order by 2;
