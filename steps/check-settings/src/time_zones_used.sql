-- The time zones that this server's settings name: its own, and those of databases and roles.
SELECT DISTINCT u.zone
  FROM (SELECT s.reset_val AS zone
          FROM pg_catalog.pg_settings s
         WHERE s.name = 'TimeZone'
        UNION ALL
        SELECT pg_catalog.substr(c.line, 10)
          FROM pg_catalog.pg_db_role_setting r
         CROSS JOIN LATERAL pg_catalog.unnest(r.setconfig) AS c (line)
         WHERE c.line ~* '^timezone=') u
 ORDER BY u.zone
