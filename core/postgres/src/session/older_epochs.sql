-- The sessions of a migration's older epochs, in all databases. $1 is `pghaul/<migration>/`, $2 pghaul's epoch.
-- CASE keeps the cast away from names that are no number.
SELECT a.pid
FROM pg_catalog.pg_stat_activity AS a
WHERE pg_catalog.left(a.application_name, pg_catalog.length($1)) = $1
  AND a.pid <> pg_catalog.pg_backend_pid()
  AND CASE
          WHEN pg_catalog.substr(a.application_name, pg_catalog.length($1) + 1) ~ '^[0-9]{1,10}$'
              THEN pg_catalog.substr(a.application_name, pg_catalog.length($1) + 1)::pg_catalog.int8 < $2
          ELSE false
      END
ORDER BY a.pid
