-- Each type that holds values of another one: in arrays, domains, ranges or composites. Other statements go on from here.
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
)
