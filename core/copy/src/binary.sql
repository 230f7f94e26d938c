-- Why tables can't be copied in binary format, one row for each reason; a table without a row can. $1 is the
-- major version of the server that receives. A row with an extension counts only where the receiver has that
-- extension in another version, or not at all.
--
-- Looked at are the types of all columns and what they are made of: base types of domains, elements of arrays,
-- columns of composite types, subtypes of ranges.
WITH RECURSIVE columns AS (
    SELECT a.attrelid, a.attname, a.atttypid
      FROM pg_catalog.pg_attribute a
      JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind = 'r' AND c.relpersistence <> 't'
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE a.attnum > 0
       AND NOT a.attisdropped
       AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pghaul')
), parts (root, part, nested) AS (
    SELECT DISTINCT atttypid, atttypid, false FROM columns
    UNION
    SELECT p.root, x.part, p.nested OR x.nested
      FROM parts p
      JOIN pg_catalog.pg_type t ON t.oid = p.part
     CROSS JOIN LATERAL (
           SELECT t.typbasetype AS part, false AS nested WHERE t.typtype = 'd'
           UNION ALL
           SELECT t.typelem, true WHERE t.typelem <> 0 AND t.typlen = -1
           UNION ALL
           SELECT a.atttypid, true
             FROM pg_catalog.pg_attribute a
            WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
           UNION ALL
           SELECT r.rngsubtype, false FROM pg_catalog.pg_range r WHERE r.rngtypid = t.oid) x
), reasons AS (
    SELECT p.root,
           pg_catalog.format_type(t.oid, NULL) AS type,
           CASE WHEN t.typsend = 0 OR t.typreceive = 0
                    THEN 'has no binary form'
                WHEN t.typnamespace = 'pg_catalog'::pg_catalog.regnamespace AND t.typname ~ '^reg'
                    THEN 'is an OID that means something else on another server'
                WHEN t.oid = 'pg_catalog.xml'::pg_catalog.regtype
                    THEN 'loses its prolog in binary form'
                WHEN p.nested AND t.oid >= 10000 AND $1::integer < 14
                    THEN 'is recognized by its OID inside arrays and composite types before PostgreSQL 14'
                WHEN t.typtype = 'b' AND t.oid >= 16384 AND t.typelem = 0 AND e.extname IS NULL
                    THEN 'may have another binary form on another server'
                WHEN t.typtype = 'b' AND t.oid >= 16384 AND t.typelem = 0
                    THEN 'may have another binary form in another version of its extension'
           END AS why,
           CASE WHEN t.typsend <> 0 AND t.typreceive <> 0 AND t.typtype = 'b' AND t.typelem = 0
                     AND NOT (p.nested AND $1::integer < 14)
                    THEN e.extname::text
           END AS extension,
           e.extversion AS version
      FROM parts p
      JOIN pg_catalog.pg_type t ON t.oid = p.part
      LEFT JOIN pg_catalog.pg_depend d
             ON d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND d.objid = t.oid AND d.deptype = 'e'
            AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
      LEFT JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
)
SELECT c.attrelid AS oid, r.type, r.why, r.extension, r.version
  FROM columns c
  JOIN reasons r ON r.root = c.atttypid AND r.why IS NOT NULL
