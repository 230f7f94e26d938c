-- What limits the workers of subscriptions, and how many subscriptions of others there are on the server. $1
-- begins the names of objects of this migration, and is empty before there is one.
SELECT pg_catalog.current_setting('max_logical_replication_workers')::bigint AS workers,
       pg_catalog.current_setting('max_worker_processes')::bigint AS processes,
       coalesce(pg_catalog.current_setting('max_active_replication_origins', true),
                pg_catalog.current_setting('max_replication_slots'))::bigint AS origins,
       (SELECT pg_catalog.count(s.subname)
          FROM pg_catalog.pg_subscription s
         WHERE s.subenabled
           AND ($1::text = '' OR pg_catalog.left(s.subname::text, pg_catalog.length($1::text)) <> $1::text)) AS used
