SELECT pg_catalog.setval(s.oid::pg_catalog.regclass, s.value, s.is_called)
  FROM ROWS FROM (pg_catalog.unnest($1::oid[]), pg_catalog.unnest($2::bigint[]), pg_catalog.unnest($3::boolean[])) AS s (oid, value, is_called)
