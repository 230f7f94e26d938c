-- Where the sequences with these oids ($1) are; NULL where the role may not read one.
SELECT s.oid, d.last_value, d.is_called
  FROM pg_catalog.unnest($1::oid[]) AS s (oid),
       LATERAL pg_catalog.pg_get_sequence_data(s.oid::pg_catalog.regclass) AS d
