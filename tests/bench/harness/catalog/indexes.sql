select format('%I.%I', n.nspname, c.relname),
       pg_get_indexdef(i.indexrelid),
       case when k.oid is not null then
           format('alter table %I.%I add constraint %I %s using index %I', n.nspname, c.relname, k.conname,
                  case k.contype when 'p' then 'primary key' else 'unique' end, x.relname)
       end,
       case when k.oid is not null then
           format('alter table %I.%I add constraint %I %s', n.nspname, c.relname, k.conname, pg_get_constraintdef(k.oid))
       end
from pg_index i
join pg_class x on x.oid = i.indexrelid
join pg_class c on c.oid = i.indrelid
join pg_namespace n on n.oid = c.relnamespace
left join pg_constraint k on k.conindid = i.indexrelid and k.contype in ('p', 'u')
where c.relkind = 'r' and n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'pghaul')
order by pg_relation_size(i.indexrelid) desc, 1, 2
