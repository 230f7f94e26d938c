-- How many sessions the server lets in that are no superuser's, and how many of others are there. $1 begins the names of
-- sessions that are ours. Without pg_monitor the kind of a process is hidden, but those of the server itself have no role
-- or no database. Since PostgreSQL 12, walsenders have places of their own.
SELECT pg_catalog.current_setting('max_connections')::bigint
           - pg_catalog.current_setting('superuser_reserved_connections')::bigint
           - coalesce(pg_catalog.current_setting('reserved_connections', true)::bigint, 0) AS usable,
       (SELECT pg_catalog.count(*)
          FROM pg_catalog.pg_stat_activity a
         WHERE coalesce(a.backend_type, 'client backend') = 'client backend'
           AND a.usesysid IS NOT NULL
           AND a.datid IS NOT NULL
           AND pg_catalog.left(a.application_name, pg_catalog.length($1::text)) <> $1::text) AS others
