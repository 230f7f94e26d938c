-- The databases of rehearsals, whose names $1 matches, each with whether the session whose process and start its name
-- gives is still there. The start may be hidden, from the session itself (then the name gives 0) or from this one; then
-- the process counts.
SELECT d.datname::text AS name,
       EXISTS (SELECT 1
                 FROM pg_catalog.pg_stat_activity a
                WHERE a.pid::text = n.process
                  AND (n.start = '0'
                       OR a.backend_start IS NULL
                       OR (pg_catalog.date_part('epoch', a.backend_start) * 1000)::bigint::text = n.start)) AS in_use
  FROM pg_catalog.pg_database d,
       LATERAL (SELECT pg_catalog.split_part(d.datname::text, '_', 3) AS process,
                       pg_catalog.split_part(d.datname::text, '_', 4) AS start) AS n
 WHERE d.datname ~ $1::text
 ORDER BY d.datname
