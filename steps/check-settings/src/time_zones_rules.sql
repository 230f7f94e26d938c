-- The rules of the zones in $1, in short: a hash over the local time at the same instants, a week apart, from 1990 to
-- 2037. The instants are counted in seconds: days are of different length in the session's own time zone.
SELECT u.zone,
       pg_catalog.md5(pg_catalog.string_agg((pg_catalog.to_timestamp(p.at) AT TIME ZONE u.zone)::text, ',' ORDER BY p.at)) AS rules
  FROM pg_catalog.unnest($1::text[]) AS u (zone)
 CROSS JOIN pg_catalog.generate_series(631195200, 2143281600, 604800) AS p (at)
 GROUP BY u.zone
