-- The same before PostgreSQL 13, which has templates for languages besides extensions.
SELECT 1
 WHERE EXISTS (SELECT FROM pg_catalog.pg_language WHERE lanname = $1::text)
    OR EXISTS (SELECT FROM pg_catalog.pg_available_extensions WHERE name = $1::text)
    OR EXISTS (SELECT FROM pg_catalog.pg_pltemplate WHERE tmplname = $1::text)
