-- Which of the zones in $1 this server knows.
SELECT u.zone
  FROM pg_catalog.unnest($1::text[]) AS u (zone)
 WHERE EXISTS (SELECT FROM pg_catalog.pg_timezone_names n WHERE pg_catalog.lower(n.name) = pg_catalog.lower(u.zone))
