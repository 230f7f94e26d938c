-- Partitioned tables that are partitioned by the hash of a key with an enum in it.
, enums (oid) AS (
    SELECT t.oid FROM pg_catalog.pg_type t WHERE t.typtype = 'e'
    UNION
    SELECT p.whole FROM enums e JOIN parts p ON p.part = e.oid
)
SELECT p.partrelid::pg_catalog.regclass::text AS name
  FROM pg_catalog.pg_partitioned_table p
  JOIN pg_catalog.pg_class c ON c.oid = p.partrelid AND c.relpersistence <> 't'
 WHERE p.partstrat = 'h'
   AND EXISTS (SELECT FROM pg_catalog.pg_attribute a
                WHERE a.attrelid = p.partrelid
                  AND a.attnum = ANY (p.partattrs::pg_catalog.int2[])
                  AND a.atttypid IN (SELECT e.oid FROM enums e))
 ORDER BY 1
