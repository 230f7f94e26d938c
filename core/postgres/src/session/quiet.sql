-- Keeps this transaction's statements out of the server's log and out of pg_stat_statements. For superusers.
SELECT pg_catalog.set_config('log_statement', 'none', true),
       pg_catalog.set_config('log_min_duration_statement', '-1', true),
       pg_catalog.set_config('log_min_error_statement', 'panic', true),
       pg_catalog.set_config('pg_stat_statements.track_utility', 'off', true)
