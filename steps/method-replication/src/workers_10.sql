-- How far the workers of a subscription are (PostgreSQL 10 to 13: no progress of COPY).
SELECT count(r.srrelid) AS tables,
       count(r.srrelid) FILTER (WHERE r.srsubstate = 'r') AS ready,
       (SELECT count(*) FROM pg_catalog.pg_stat_subscription w WHERE w.subname = $1 AND w.pid IS NOT NULL)
           AS workers,
       coalesce(sum(pg_catalog.pg_table_size(r.srrelid)), 0)::bigint AS bytes_of_ready,
       0::bigint AS bytes_in_progress
  FROM pg_catalog.pg_subscription s
  LEFT JOIN pg_catalog.pg_subscription_rel r ON r.srsubid = s.oid
 WHERE s.subname = $1
