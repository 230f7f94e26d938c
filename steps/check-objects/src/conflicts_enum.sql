-- Partitioned tables that are partitioned by the hash of a key with an enum in it.
WITH RECURSIVE parts (part, whole) AS (
    SELECT t.oid, t.typarray FROM pg_catalog.pg_type t WHERE t.typarray <> 0
    UNION ALL
    SELECT t.typbasetype, t.oid FROM pg_catalog.pg_type t WHERE t.typtype = 'd'
    UNION ALL
    SELECT r.rngsubtype, r.rngtypid FROM pg_catalog.pg_range r
    UNION ALL
    SELECT a.atttypid, c.reltype
      FROM pg_catalog.pg_attribute a
      JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
     WHERE c.relkind = 'c' AND a.attnum > 0 AND NOT a.attisdropped
), enums (oid) AS (
    SELECT t.oid FROM pg_catalog.pg_type t WHERE t.typtype = 'e'
    UNION
    SELECT p.whole FROM enums e JOIN parts p ON p.part = e.oid
)
SELECT p.partrelid::pg_catalog.regclass::text AS name
  FROM pg_catalog.pg_partitioned_table p
 WHERE p.partstrat = 'h'
   AND EXISTS (SELECT FROM pg_catalog.pg_attribute a
                WHERE a.attrelid = p.partrelid
                  AND a.attnum = ANY (p.partattrs::pg_catalog.int2[])
                  AND a.atttypid IN (SELECT e.oid FROM enums e))
 ORDER BY 1
