-- Replication slots and WAL senders: how many there may be, and how many others use. $1 begins the names of
-- objects of this migration, $2 those of its sessions; both are empty before there is one.
SELECT pg_catalog.current_setting('max_replication_slots')::bigint,
       (SELECT pg_catalog.count(*)
          FROM pg_catalog.pg_replication_slots s
         WHERE $1::text = '' OR pg_catalog.left(s.slot_name::text, pg_catalog.length($1::text)) <> $1::text),
       pg_catalog.current_setting('max_wal_senders')::bigint,
       (SELECT pg_catalog.count(*)
          FROM pg_catalog.pg_stat_replication r
         WHERE $1::text = ''
            OR (pg_catalog.left(r.application_name, pg_catalog.length($1::text)) <> $1::text
                AND pg_catalog.left(r.application_name, pg_catalog.length($2::text)) <> $2::text))
