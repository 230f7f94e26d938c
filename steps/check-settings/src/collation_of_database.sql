-- The version of the library that this database is sorted by: the one noted when it was made, and the one there is now.
-- A database knows its own from PostgreSQL 15 on. The collation is the system's one for the same locale.
SELECT CASE WHEN f.fields ->> 'datlocprovider' = 'i'
            THEN coalesce(f.fields ->> 'datlocale', f.fields ->> 'daticulocale') || '-x-icu'
            ELSE d.datcollate::text
       END AS collation,
       d.encoding,
       f.fields ->> 'datcollversion' AS recorded,
       {actual} AS actual
  FROM pg_catalog.pg_database d
 CROSS JOIN LATERAL (SELECT pg_catalog.to_jsonb(d) AS fields) f
 WHERE d.datname = pg_catalog.current_database()
