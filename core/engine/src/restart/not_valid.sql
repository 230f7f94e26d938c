-- Constraints that rows of the source may violate: they were added NOT VALID, and hold for every row that is copied
-- once they are there. Those that are not enforced (PostgreSQL 18 and newer) hold for none.
SELECT pg_catalog.quote_ident(c.conname::text)
       || CASE c.conrelid
            WHEN 0 THEN ' of domain ' || pg_catalog.format_type(c.contypid, NULL)
            ELSE ' of table ' || c.conrelid::pg_catalog.regclass::text
          END
  FROM pg_catalog.pg_constraint c
 WHERE c.contype IN ('c', 'n')
   AND NOT c.convalidated
   AND pg_catalog.to_jsonb(c) ->> 'conenforced' IS DISTINCT FROM 'false'
 ORDER BY 1
