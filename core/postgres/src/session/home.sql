-- Settings of this database and of roles, the weakest first: a later row beats an earlier one.
SELECT r.rolname::text AS role,
       s.setconfig AS settings
  FROM pg_catalog.pg_db_role_setting s
  LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
 WHERE (s.setdatabase = 0
        OR s.setdatabase = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()))
   AND (s.setrole = 0 OR r.oid IS NOT NULL)
 ORDER BY CASE WHEN s.setrole = 0 AND s.setdatabase = 0 THEN 0
               WHEN s.setrole = 0 THEN 1
               WHEN s.setdatabase = 0 THEN 2
               ELSE 3
          END
