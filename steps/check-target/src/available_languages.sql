-- A row if language $1 is there, or can be had as an extension.
SELECT 1
 WHERE EXISTS (SELECT FROM pg_catalog.pg_language WHERE lanname = $1::text)
    OR EXISTS (SELECT FROM pg_catalog.pg_available_extensions WHERE name = $1::text)
