-- The rows that were inserted, updated and deleted in each of these tables ($1) since its counters began.
SELECT t.oid,
       pg_catalog.pg_stat_get_tuples_inserted(t.oid) + pg_catalog.pg_stat_get_tuples_updated(t.oid)
           + pg_catalog.pg_stat_get_tuples_deleted(t.oid)
  FROM pg_catalog.unnest($1::pg_catalog.oid[]) AS t (oid)
