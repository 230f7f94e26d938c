-- The last values of the sequences with these oids ($1); NULL where nextval() was never called. Each is locked against
-- DROP and ALTER until the transaction ends.
SELECT s.oid, pg_catalog.pg_sequence_last_value(s.oid) AS last_value
  FROM pg_catalog.unnest($1::oid[]) AS s (oid)
