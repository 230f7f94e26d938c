-- How far the workers of a subscription are (PostgreSQL 14 and newer).
SELECT count(r.srrelid) AS tables,
       count(r.srrelid) FILTER (WHERE r.srsubstate = 'r') AS ready,
       (SELECT count(*) FROM pg_catalog.pg_stat_subscription w WHERE w.subname = $1 AND w.pid IS NOT NULL)
           AS workers,
       coalesce(sum(pg_catalog.pg_table_size(r.srrelid)) FILTER (WHERE r.srsubstate IN ('f', 's', 'r')), 0)::bigint
           AS bytes_of_ready,
       coalesce((SELECT sum(p.bytes_processed)
                   FROM pg_catalog.pg_stat_progress_copy p
                   JOIN pg_catalog.pg_subscription_rel pr ON pr.srrelid = p.relid
                   JOIN pg_catalog.pg_subscription ps ON ps.oid = pr.srsubid AND ps.subname = $1
                  WHERE p.datname = pg_catalog.current_database()), 0)::bigint
           AS bytes_in_progress
  FROM pg_catalog.pg_subscription s
  LEFT JOIN pg_catalog.pg_subscription_rel r ON r.srsubid = s.oid
 WHERE s.subname = $1
