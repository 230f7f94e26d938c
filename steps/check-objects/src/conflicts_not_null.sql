-- Columns that may be NULL in a child, but not in the parent they come from.
SELECT c.oid::pg_catalog.regclass::text || '.' || pg_catalog.quote_ident(a.attname) AS name
  FROM pg_catalog.pg_inherits i
  JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
  JOIN pg_catalog.pg_attribute a ON a.attrelid = i.inhrelid
  JOIN pg_catalog.pg_attribute p ON p.attrelid = i.inhparent AND p.attname = a.attname
 WHERE c.relkind IN ('r', 'f')
   AND a.attnum > 0
   AND NOT a.attisdropped
   AND p.attnotnull
   AND NOT a.attnotnull
 ORDER BY 1
