-- Those of the tables with these schemas and names that have a trigger that would fire, of their own or of a foreign key.
SELECT p.schema, p.name
  FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) AS p (schema, name)
  JOIN pg_catalog.pg_namespace n ON n.nspname = p.schema
  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = p.name
 WHERE EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid AND t.tgenabled <> 'D')
