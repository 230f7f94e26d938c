-- Whether one of the tables with these schemas and names has a trigger that would fire, of its own or of a foreign key.
SELECT EXISTS (
    SELECT
      FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) AS p (schema, name)
      JOIN pg_catalog.pg_namespace n ON n.nspname = p.schema
      JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = p.name
      JOIN pg_catalog.pg_trigger t ON t.tgrelid = c.oid
     WHERE t.tgenabled <> 'D')
