-- The locale of this database. The provider came with PostgreSQL 15, and its column got another name with 17;
-- as JSON a missing column is NULL.
SELECT d.datcollate::text AS collate,
       d.datctype::text AS ctype,
       coalesce(f.fields ->> 'datlocprovider', 'c') AS provider,
       coalesce(f.fields ->> 'datlocale', f.fields ->> 'daticulocale') AS locale,
       d.encoding
  FROM pg_catalog.pg_database d
 CROSS JOIN LATERAL (SELECT pg_catalog.to_jsonb(d) AS fields) f
 WHERE d.datname = pg_catalog.current_database()
