create table wide (
    id bigint not null,
    code integer not null,
    amount numeric(14, 4) not null,
    title text not null,
    made_at timestamptz not null,
    due date,
    paid boolean not null,
    reference uuid not null,
    document jsonb not null,
    labels text[] not null,
    digest bytea not null
);
insert into wide
select i,
       (i * 7919) % 100000,
       (i * 31 % 10000000)::numeric / 7,
       'title ' || md5(i::text),
       timestamptz '2020-01-01 00:00:00+00' + (i * 37) * interval '1 second',
       case when i % 10 <> 0 then date '2020-01-01' + (i % 2000)::int end,
       i % 3 = 0,
       md5('reference' || i)::uuid,
       jsonb_build_object('city', 'city ' || i % 5000, 'tags', jsonb_build_array(i % 7, i % 11), 'n', i),
       array['label ' || i % 100, 'label ' || i % 13],
       decode(md5('digest' || i) || md5(i::text), 'hex')
from generate_series(1, greatest(10, (2000000 * current_setting('bench.scale')::float8)::bigint)) i;
alter table wide add primary key (id);
create index wide_title on wide (title);
create index wide_made_at on wide (made_at, code);
create unique index wide_reference on wide (reference);
create index wide_city on wide ((document ->> 'city'))
