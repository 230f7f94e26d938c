-- The processes that work for a subscription, each as a sentence names it: with those that it waits for.
SELECT w.pid,
       'process ' || w.pid || CASE WHEN pg_catalog.cardinality(b.pids) > 0
                                   THEN ' waits for process ' || pg_catalog.array_to_string(b.pids, ', ')
                                   ELSE '' END AS told
  FROM pg_catalog.pg_stat_subscription w
 CROSS JOIN LATERAL pg_catalog.pg_blocking_pids(w.pid) AS b(pids)
 WHERE w.subname = $1
   AND w.pid IS NOT NULL
 ORDER BY w.pid
