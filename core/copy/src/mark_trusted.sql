-- Whether the counters of this database tell what was written since $1: they count, nothing has reset them, a crash neither, which
-- resets all of the server's and does not say so of a database's, and no session may hold back what it has counted. Before PostgreSQL 15 one that idles may do so for as long as it lives; later
-- ones report within ten seconds. When a session was last active is hidden from roles without pg_read_all_stats.
SELECT pg_catalog.current_setting('track_counts') = 'on'
       AND NOT pg_catalog.pg_is_in_recovery()
       AND pg_catalog.pg_postmaster_start_time() < $1::text::timestamptz
       AND NOT EXISTS (SELECT
                         FROM pg_catalog.pg_stat_database d
                        WHERE d.datname = pg_catalog.current_database()
                          AND d.stats_reset >= $1::text::timestamptz)
       AND NOT EXISTS (SELECT
                         FROM pg_catalog.pg_stat_bgwriter b
                        WHERE b.stats_reset >= $1::text::timestamptz)
       AND NOT EXISTS (SELECT
                         FROM pg_catalog.pg_db_role_setting s
                        CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS c
                        WHERE c LIKE 'track\_counts=%')
       AND NOT EXISTS (SELECT
                         FROM pg_catalog.pg_stat_activity a
                        WHERE a.datname = pg_catalog.current_database()
                          AND a.usesysid IS NOT NULL
                          AND a.pid <> pg_catalog.pg_backend_pid()
                          AND pg_catalog.left(a.application_name, 7) NOT IN ('pghaul/', 'pghaul_')
                          AND coalesce(a.state_change > CASE
                                           WHEN pg_catalog.current_setting('server_version_num')::integer >= 150000
                                           THEN pg_catalog.clock_timestamp() - interval '12 seconds'
                                           ELSE $1::text::timestamptz
                                       END, true))
