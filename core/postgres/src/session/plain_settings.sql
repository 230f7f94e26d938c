-- What a session has that sets nothing itself, of what sessions can set, with the value for roles that have none of their own. Where
-- the connecting role has one, the server's value is not visible: then the built-in one counts.
-- The session has the search_path of the database, so every operator names its schema.
SELECT s.name,
       CASE WHEN s.name OPERATOR(pg_catalog.=) 'statement_timeout'
            THEN pg_catalog.current_setting('pghaul.statement_timeout')
            ELSE s.setting
       END,
       CASE WHEN s.source OPERATOR(pg_catalog.=) 'user' OR s.source OPERATOR(pg_catalog.=) 'database user'
            THEN coalesce(s.boot_val, s.setting)
            ELSE s.setting
       END
  FROM pg_catalog.pg_settings s
 WHERE s.context OPERATOR(pg_catalog.=) 'user' OR s.context OPERATOR(pg_catalog.=) 'superuser'
