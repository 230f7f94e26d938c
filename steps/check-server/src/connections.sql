-- How many sessions more this server, pghaul's role and the databases in $1 allow; NULL is without limit. Sessions of pghaul itself
-- do not count, nor do the server's own processes: without pg_monitor their kind is hidden, but they have no role or no database.
WITH sessions AS (
    SELECT a.datid, a.usesysid
      FROM pg_catalog.pg_stat_activity a
     WHERE coalesce(a.backend_type, 'client backend') = 'client backend'
       AND a.usesysid IS NOT NULL
       AND a.datid IS NOT NULL
       AND a.application_name <> pg_catalog.current_setting('application_name')
)
SELECT pg_catalog.current_setting('max_connections')::bigint
           - pg_catalog.current_setting('superuser_reserved_connections')::bigint
           - coalesce(pg_catalog.current_setting('reserved_connections', true)::bigint, 0)
           - (SELECT pg_catalog.count(*) FROM sessions) AS of_server,
       (SELECT r.rolconnlimit - (SELECT pg_catalog.count(*) FROM sessions s WHERE s.usesysid = r.oid)
          FROM pg_catalog.pg_roles r
         WHERE r.rolname = current_user AND r.rolconnlimit >= 0 AND NOT r.rolsuper) AS of_role,
       current_user::text AS role,
       ARRAY(SELECT d.datname::text
               FROM pg_catalog.pg_database d
              WHERE d.datname = ANY ($1::text[])
                AND d.datconnlimit >= 0
                AND NOT (SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname = current_user)
                AND d.datconnlimit - (SELECT pg_catalog.count(*) FROM sessions s WHERE s.datid = d.oid) < $2::bigint
              ORDER BY d.datname) AS databases
