-- The settings that the size of the lock table follows from.
SELECT pg_catalog.current_setting('max_locks_per_transaction')::bigint AS per_transaction,
       pg_catalog.current_setting('max_connections')::bigint
           + pg_catalog.current_setting('max_prepared_transactions')::bigint AS transactions
