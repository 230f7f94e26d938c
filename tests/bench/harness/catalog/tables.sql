select format('%I.%I', n.nspname, c.relname),
       pg_table_size(c.oid),
       pg_relation_size(c.oid) / current_setting('block_size')::int
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r' and n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'pghaul')
order by pg_table_size(c.oid) desc, 1
