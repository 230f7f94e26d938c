-- The apply worker of a subscription, and how often its workers have failed. The leader of parallel workers is the one that
-- has none itself. How errors are counted depends on the version.
SELECT (SELECT pg_catalog.min(w.pid)
          FROM pg_catalog.pg_stat_subscription w
         WHERE w.subname = $1
           AND w.relid IS NULL
           AND pg_catalog.to_jsonb(w) ->> 'leader_pid' IS NULL) AS pid,
       {errors} AS errors
