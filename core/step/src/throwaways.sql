-- The databases of rehearsals, each with whether the session whose process and start its name gives is still there. The
-- start of another role's session may be hidden; then the process counts.
SELECT d.datname::text AS name,
       EXISTS (SELECT 1
                 FROM pg_catalog.pg_stat_activity a
                WHERE a.pid::text = pg_catalog.split_part(d.datname::text, '_', 3)
                  AND coalesce((pg_catalog.date_part('epoch', a.backend_start) * 1000)::bigint::text,
                               pg_catalog.split_part(d.datname::text, '_', 4))
                      = pg_catalog.split_part(d.datname::text, '_', 4)) AS in_use
  FROM pg_catalog.pg_database d
 WHERE d.datname ~ '^pghaul_rehearsal_[0-9]+_[0-9]+_[0-9]+$'
 ORDER BY d.datname
