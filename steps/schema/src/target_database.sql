-- What can only be given when a database is created. Columns that came with newer versions are read through JSON.
SELECT pg_catalog.pg_encoding_to_char(d.encoding)::text AS encoding,
       d.datcollate::text AS lc_collate,
       d.datctype::text AS lc_ctype,
       coalesce(pg_catalog.to_jsonb(d) ->> 'datlocprovider', 'c') AS provider,
       coalesce(pg_catalog.to_jsonb(d) ->> 'datlocale', pg_catalog.to_jsonb(d) ->> 'daticulocale') AS locale,
       pg_catalog.to_jsonb(d) ->> 'daticurules' AS icu_rules
  FROM pg_catalog.pg_database d
 WHERE d.datname = pg_catalog.current_database()
