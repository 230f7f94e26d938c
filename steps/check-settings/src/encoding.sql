-- Encoding and locale of the database $1, or where it is absent of this one. Providers came with PostgreSQL 15, and a
-- column got another name with 17; as JSON a missing column is NULL.
SELECT pg_catalog.pg_encoding_to_char(d.encoding)::text AS encoding,
       d.datcollate::text AS collate,
       d.datctype::text AS ctype,
       coalesce(f.fields ->> 'datlocprovider', 'c') AS provider,
       coalesce(f.fields ->> 'datlocale', f.fields ->> 'daticulocale') AS locale
  FROM pg_catalog.pg_database d
 CROSS JOIN LATERAL (SELECT pg_catalog.to_jsonb(d) AS fields) f
 WHERE d.datname = coalesce($1::name, pg_catalog.current_database())
