-- Sixteen megabytes that look random, from which every row takes some. What repeats lies a megabyte apart, farther
-- than the compression of TOAST and of pg_dump looks back.
create temporary table block as
select b, string_agg(decode(md5(b || ' ' || i), 'hex'), '' order by i) as bytes
from generate_series(0, 15) b, generate_series(1, 65536) i
group by b;
create table blob (id int primary key, name text not null, payload bytea not null);
insert into blob
select r, 'blob ' || r,
       (select string_agg(bytes, '' order by j)
        from generate_series(0, r * 7 % 20) j
        join block on b = (r + j * 5) % 16)
from generate_series(1, greatest(2, (195 * current_setting('bench.scale')::float8)::int)) r;
drop table block
