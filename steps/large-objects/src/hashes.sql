-- A hash of the content of each of these large objects ($1) of these sizes ($2), none of them empty.
SELECT o.oid,
       pg_catalog.encode(pg_catalog.sha256(pg_catalog.string_agg(
           pg_catalog.sha256(pg_catalog.lo_get(o.oid, p.start, 4194304)), ''::bytea ORDER BY p.start)), 'hex') AS hash
  FROM unnest($1::oid[], $2::bigint[]) AS o (oid, size),
       LATERAL pg_catalog.generate_series(0, o.size - 1, 4194304) AS p (start)
 GROUP BY o.oid
