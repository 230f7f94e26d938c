-- Transactions that began before a moment, given by the next transaction id of then: of all databases, and prepared
-- ones. Details of other roles' sessions are shown only to members of pg_monitor.
SELECT 'pid ' || a.pid
       || coalesce(', role ' || a.usename, '')
       || coalesce(', database ' || a.datname, '')
       || coalesce(', since ' || pg_catalog.date_trunc('second', a.xact_start), '')
  FROM pg_catalog.pg_stat_activity a
 WHERE a.backend_xid IS NOT NULL
   AND a.backend_xid::text::bigint < $1::bigint % 4294967296
UNION ALL
SELECT 'prepared transaction ' || pg_catalog.quote_literal(p.gid) || ', since '
       || pg_catalog.date_trunc('second', p.prepared)
  FROM pg_catalog.pg_prepared_xacts p
