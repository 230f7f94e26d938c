-- Switches off, until the end of this transaction, everything that would write statements or their parameters somewhere, as far
-- as the role may. Says what the role may use to run a statement without showing it.
-- The placeholder is whether the role was granted to set it, which PostgreSQL 15 is the first to know.
SELECT pg_catalog.count(pg_catalog.set_config(s.name, wanted.value, true)),
       EXISTS (SELECT FROM pg_catalog.pg_language
               WHERE lanname OPERATOR(pg_catalog.=) 'plpgsql' AND pg_catalog.has_language_privilege(oid, 'USAGE')) AS plpgsql,
       pg_catalog.has_database_privilege(pg_catalog.current_database(), 'TEMPORARY') AS temporary
FROM pg_catalog.pg_settings s
JOIN (VALUES ('track_activities', 'off'),
             ('log_statement', 'none'),
             ('log_min_duration_statement', '-1'),
             ('log_min_duration_sample', '-1'),
             ('log_min_error_statement', 'panic'),
             ('log_error_verbosity', 'terse'),
             ('log_parameter_max_length', '0'),
             ('log_parameter_max_length_on_error', '0'),
             ('debug_print_raw_parse', 'off'),
             ('debug_print_parse', 'off'),
             ('debug_print_rewritten', 'off'),
             ('debug_print_plan', 'off'),
             ('check_function_bodies', 'off'),
             ('auto_explain.log_min_duration', '-1'),
             ('pg_stat_statements.track', 'none'),
             ('pg_stat_statements.track_utility', 'off'),
             ('pg_stat_monitor.pgsm_track', 'none'),
             ('pg_stat_monitor.pgsm_track_utility', 'off'),
             ('pgaudit.log_statement', 'off'),
             ('pgaudit.log_parameter', 'off')) AS wanted(name, value) ON s.name OPERATOR(pg_catalog.=) wanted.name
WHERE s.context OPERATOR(pg_catalog.=) 'user'
   OR s.context OPERATOR(pg_catalog.=) 'superuser'
      AND ((SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) current_user) OR {granted})
