-- The positions, from 1, of those columns $3 of the relations $2 in the schemas $1 that this server does not have.
SELECT u.position
  FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[]), pg_catalog.unnest($3::text[]))
       WITH ORDINALITY AS u (schema, name, column_name, position)
 WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a
                     JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
                     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                    WHERE n.nspname = u.schema AND c.relname = u.name AND a.attname = u.column_name
                      AND NOT a.attisdropped)
 ORDER BY u.position
