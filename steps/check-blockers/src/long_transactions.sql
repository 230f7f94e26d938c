-- Transactions with an id that are older than $1 seconds, and prepared ones; oldest first.
WITH open AS (
    SELECT a.pid, NULL::text AS gid, a.datname::text AS database, a.usename::text AS role, a.xact_start AS since
      FROM pg_catalog.pg_stat_activity a
     WHERE a.backend_xid IS NOT NULL
       AND a.pid <> pg_catalog.pg_backend_pid()
    UNION ALL
    SELECT NULL, p.gid, p.database::text, p.owner::text, p.prepared
      FROM pg_catalog.pg_prepared_xacts p
)
SELECT o.pid,
       o.gid,
       coalesce(o.database, '-') AS database,
       coalesce(o.role, '-') AS role,
       pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - o.since)::bigint AS age_seconds
  FROM open o
 WHERE o.since <= pg_catalog.clock_timestamp() - $1::float8 * interval '1 second'
 ORDER BY o.since, o.pid, o.gid
