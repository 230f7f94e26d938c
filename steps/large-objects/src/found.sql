-- How many large objects there are, how large they are together with the space that removed ones have left, and which of them
-- the role may not read. What is in braces stands in readable.sql.
WITH unreadable AS (
    SELECT m.oid
      FROM pg_catalog.pg_largeobject_metadata m
      JOIN pg_catalog.pg_roles r ON r.rolname = current_user
     WHERE NOT {readable}
)
SELECT (SELECT pg_catalog.count(*) FROM pg_catalog.pg_largeobject_metadata) AS count,
       pg_catalog.pg_table_size('pg_catalog.pg_largeobject') AS bytes,
       (SELECT pg_catalog.count(*) FROM unreadable) AS unreadable,
       ARRAY(SELECT u.oid FROM unreadable u ORDER BY u.oid LIMIT 5) AS first,
       current_user::text AS role
