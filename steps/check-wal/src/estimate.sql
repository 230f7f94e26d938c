-- What an estimate rests on: the size of the databases in $1, how much WAL was written since the last checkpoint began,
-- and how long ago that was.
SELECT coalesce((SELECT pg_catalog.sum(pg_catalog.pg_database_size(d.oid))
                   FROM pg_catalog.pg_database d
                  WHERE d.datname = ANY ($1::text[])
                    AND (pg_catalog.has_database_privilege(d.oid, 'CONNECT')
                         OR pg_catalog.pg_has_role('pg_read_all_stats', 'MEMBER'))), 0)::float8 AS bytes,
       pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), c.redo_lsn)::float8 AS wal_bytes,
       greatest(pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - c.checkpoint_time), 1)::float8 AS seconds
  FROM pg_catalog.pg_control_checkpoint() c
