-- As hashes.sql, for servers without sha256().
SELECT o.oid,
       pg_catalog.md5(pg_catalog.string_agg(
           pg_catalog.md5(pg_catalog.lo_get(o.oid, p.start, 4194304)), '' ORDER BY p.start)) AS hash
  FROM unnest($1::oid[], $2::bigint[]) AS o (oid, size),
       LATERAL pg_catalog.generate_series(0, o.size - 1, 4194304) AS p (start)
 GROUP BY o.oid
