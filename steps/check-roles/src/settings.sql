-- The settings that roles have in all databases, without those of extensions.
SELECT DISTINCT pg_catalog.split_part(c.line, '=', 1) AS name
  FROM pg_catalog.pg_db_role_setting s
 CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS c (line)
 WHERE s.setdatabase = 0
   AND pg_catalog.strpos(pg_catalog.split_part(c.line, '=', 1), '.') = 0
 ORDER BY 1
