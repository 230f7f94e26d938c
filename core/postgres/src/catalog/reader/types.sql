-- The types of all columns and, in turn, the types that these are made of: base types of domains, elements of arrays,
-- columns of composite types, subtypes of ranges, ranges of multiranges.
WITH RECURSIVE parts AS (
    SELECT t.oid AS whole, t.typbasetype AS part FROM pg_catalog.pg_type t WHERE t.typtype = 'd'
    UNION ALL
    SELECT t.oid, t.typelem FROM pg_catalog.pg_type t WHERE t.typelem <> 0 AND t.typlen = -1
    UNION ALL
    SELECT t.oid, a.atttypid
      FROM pg_catalog.pg_type t
      JOIN pg_catalog.pg_attribute a ON a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
     WHERE t.typtype = 'c'
    UNION ALL
    SELECT r.rngtypid, r.rngsubtype FROM pg_catalog.pg_range r
    {multiranges}
), used (oid) AS (
    SELECT DISTINCT a.atttypid
      FROM pg_catalog.pg_attribute a
      JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
       AND a.attnum > 0
       AND NOT a.attisdropped
       AND {of_users}
    UNION
    SELECT p.part FROM used u JOIN parts p ON p.whole = u.oid
), comparable AS (
    SELECT o.opcintype AS oid
      FROM pg_catalog.pg_opclass o
      JOIN pg_catalog.pg_am m ON m.oid = o.opcmethod
     WHERE m.amname IN ('btree', 'hash') AND o.opcdefault
)
SELECT t.oid,
       pg_catalog.format_type(t.oid, NULL),
       t.typname::text,
       t.typtype::text,
       t.typnamespace = 'pg_catalog'::pg_catalog.regnamespace,
       ARRAY(SELECT p.part FROM parts p WHERE p.whole = t.oid),
       t.typelem <> 0,
       t.typsend <> 0 AND t.typreceive <> 0,
       t.oid IN (SELECT b.oid FROM comparable b)
       OR EXISTS (SELECT
                    FROM pg_catalog.pg_cast k
                   WHERE k.castsource = t.oid AND k.castmethod = 'b' AND k.castcontext = 'i'
                     AND k.casttarget IN (SELECT b.oid FROM comparable b)),
       e.extname::text
  FROM used u
  JOIN pg_catalog.pg_type t ON t.oid = u.oid
  LEFT JOIN pg_catalog.pg_depend d
         ON d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND d.objid = t.oid
        AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.deptype = 'e'
  LEFT JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
