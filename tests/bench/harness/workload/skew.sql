-- The first table has 18 of 20 shares, nineteen others share the last two.
do $$
declare
    rows_in_all constant float8 := 4000000 * current_setting('bench.scale')::float8;
    name text;
begin
    for i in 0 .. 19 loop
        name := 'skew_' || lpad(i::text, 2, '0');
        execute format(
            'create table %1$I (id bigint not null, owner int not null, body text not null, made_at timestamptz not null);
             insert into %1$I
             select r, (r::bigint * 7919) %% 50000, md5(r::text) || md5(%1$L || r),
                    timestamptz ''2024-01-01 00:00:00+00'' + r * interval ''1 second''
             from generate_series(1, %2$s) r;
             alter table %1$I add primary key (id);
             create index on %1$I (owner, made_at)',
            name,
            greatest(10, (rows_in_all * case i when 0 then 0.9 else 0.1 / 19 end)::bigint));
    end loop;
end
$$
