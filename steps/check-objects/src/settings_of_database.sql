-- The names of the settings that this database has, for all roles or for one, without those of extensions.
SELECT DISTINCT pg_catalog.split_part(c.line, '=', 1) AS name
  FROM pg_catalog.pg_db_role_setting r
 CROSS JOIN LATERAL pg_catalog.unnest(r.setconfig) AS c (line)
 WHERE r.setdatabase = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
   AND pg_catalog.strpos(pg_catalog.split_part(c.line, '=', 1), '.') = 0
 ORDER BY 1
