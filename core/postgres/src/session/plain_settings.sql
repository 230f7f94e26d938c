-- What a session has that sets nothing itself, of what sessions can set, with the value for roles that have none of their own. Where
-- the connecting role has one, the server's value is not visible: then the built-in one counts.
SELECT s.name,
       s.setting,
       CASE WHEN s.source NOT IN ('user', 'database user') THEN s.setting
            ELSE coalesce(s.boot_val, s.setting)
       END
  FROM pg_catalog.pg_settings s
 WHERE s.context IN ('user', 'superuser')
