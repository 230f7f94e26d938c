-- The tables of a publication as its subscribers see them, and whether any is filtered. Row filters and column
-- lists came with PostgreSQL 15.
SELECT t.schemaname::text AS schema,
       t.tablename::text AS name,
       coalesce(pg_catalog.to_jsonb(r) ->> 'prqual', pg_catalog.to_jsonb(r) ->> 'prattrs') IS NOT NULL AS filtered
  FROM pg_catalog.pg_publication_tables t
  LEFT JOIN pg_catalog.pg_publication p ON p.pubname = t.pubname
  LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = t.schemaname
  LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = t.tablename
  LEFT JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid AND r.prrelid = c.oid
 WHERE t.pubname = $1
