-- Sets the sequences with these oids ($1) to these values ($2, $3) where they are still where they were read ($4; NULL where
-- nextval() was never called). Returns those that it has set.
SELECT s.oid, pg_catalog.setval(s.oid::pg_catalog.regclass, s.value, s.is_called)
  FROM ROWS FROM (pg_catalog.unnest($1::oid[]), pg_catalog.unnest($2::bigint[]),
                  pg_catalog.unnest($3::boolean[]), pg_catalog.unnest($4::bigint[])) AS s (oid, value, is_called, seen)
 WHERE pg_catalog.pg_sequence_last_value(s.oid) IS NOT DISTINCT FROM s.seen
