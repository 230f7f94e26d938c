-- Nine of ten tables refer to the tenth, which refers to itself.
do $$
declare
    tables constant int := greatest(10, (5000 * current_setting('bench.scale')::float8)::int);
    parent text;
    child text;
begin
    for i in 0 .. tables - 1 loop
        child := 'table_' || lpad(i::text, 5, '0');
        parent := 'table_' || lpad((i / 10 * 10)::text, 5, '0');
        execute format(
            'create table %1$I (id int primary key, parent int not null, name text not null, made_at timestamptz not null);
             insert into %1$I
             select r, r %% 10 + 1, %1$L || md5(r::text), timestamptz ''2024-01-01 00:00:00+00'' + r * interval ''1 hour''
             from generate_series(1, 100) r;
             create index on %1$I (name);
             alter table %1$I add foreign key (parent) references %2$I',
            child, parent);
    end loop;
end
$$
