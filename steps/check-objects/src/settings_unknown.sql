-- Which of the settings named in $1 this server does not have. Two that a database may have are hidden from roles without
-- pg_read_all_settings; the view shows role to nobody.
SELECT u.name
  FROM pg_catalog.unnest($1::text[]) AS u (name)
 WHERE pg_catalog.lower(u.name) NOT IN ('session_preload_libraries', 'dynamic_library_path', 'role')
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_settings s WHERE pg_catalog.lower(s.name) = pg_catalog.lower(u.name))
 ORDER BY u.name
