-- The next transaction id, and how many rows of this database's tables were ever changed, as far as that is reported.
-- The second alone says nothing about when; the first alone says nothing about where.
SELECT pg_catalog.txid_snapshot_xmax(pg_catalog.txid_current_snapshot()) AS next,
       coalesce((SELECT pg_catalog.sum(pg_catalog.pg_stat_get_tuples_inserted(c.oid)
                                       + pg_catalog.pg_stat_get_tuples_updated(c.oid)
                                       + pg_catalog.pg_stat_get_tuples_deleted(c.oid))
                   FROM pg_catalog.pg_class c
                   JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                  WHERE c.relkind = 'r'
                    AND c.relpersistence <> 't'
                    AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pghaul')
                    AND n.nspname !~ '^pg_(toast|temp)'), 0)::bigint AS changes
