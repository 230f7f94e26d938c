-- Constraints that rows of the source may violate: they were added NOT VALID, and hold for every row that is copied
-- once they are there.
SELECT pg_catalog.quote_ident(c.conname::text) || ' of table ' || c.conrelid::pg_catalog.regclass::text
  FROM pg_catalog.pg_constraint c
 WHERE c.contype = 'c'
   AND NOT c.convalidated
   AND c.conrelid <> 0
 ORDER BY 1
