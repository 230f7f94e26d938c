-- What the transaction's snapshot sees, and when. A standby does not know which transactions are in progress.
SELECT pg_catalog.txid_current_snapshot()::text AS snapshot,
       (pg_catalog.clock_timestamp() AT TIME ZONE 'UTC')::text || '+00' AS at,
       pg_catalog.pg_is_in_recovery() AS standby
