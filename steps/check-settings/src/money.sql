-- Columns of tables whose type is money, in an array or a domain as well; for this database's locale, an amount as it
-- is written.
SELECT pg_catalog.count(*) AS columns,
       (-1234567.89::numeric)::pg_catalog.money::text AS written,
       pg_catalog.current_setting('lc_monetary') AS locale
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
 WHERE c.relkind IN ('r', 'p')
   AND c.relpersistence <> 't'
   AND a.attnum > 0
   AND NOT a.attisdropped
   AND c.oid >= 16384
   AND 'pg_catalog.money'::pg_catalog.regtype IN (t.oid, t.typelem, t.typbasetype)
