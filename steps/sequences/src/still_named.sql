-- Which of these oids ($1) are still sequences under these names ($2).
SELECT s.oid
  FROM ROWS FROM (pg_catalog.unnest($1::oid[]), pg_catalog.unnest($2::text[])) AS s (oid, name)
  JOIN pg_catalog.pg_class c ON c.oid = s.oid
 WHERE c.relkind = 'S'
   AND pg_catalog.to_regclass(s.name)::oid = s.oid
