-- Which of some tables are to be emptied, by their place in the list. A partitioned table stands for its leaves where a
-- foreign key needs it to; where one of them is a foreign table, TRUNCATE would empty that on its own server, so its
-- leaves are emptied one by one.
WITH RECURSIVE planned AS (
    SELECT p.place, c.oid, c.relkind
      FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS p (schema, name, place)
      JOIN pg_catalog.pg_namespace n ON n.nspname = p.schema
      JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = p.name
), tree AS (
    SELECT p.oid AS root, i.inhrelid AS leaf
      FROM planned p
      JOIN pg_catalog.pg_inherits i ON i.inhparent = p.oid
     WHERE p.relkind = 'p'
    UNION ALL
    SELECT t.root, i.inhrelid
      FROM tree t
      JOIN pg_catalog.pg_inherits i ON i.inhparent = t.leaf
)
SELECT p.place::bigint AS place,
       p.relkind = 'p' AS partitioned,
       EXISTS (SELECT 1 FROM pg_catalog.pg_subscription_rel r WHERE r.srrelid = p.oid) AS subscribed,
       EXISTS (SELECT 1
                 FROM pg_catalog.pg_trigger g
                WHERE g.tgrelid = p.oid AND NOT g.tgisinternal AND g.tgenabled = 'O' AND g.tgtype & 32 <> 0)
           AS fires
  FROM planned p
 WHERE p.relkind = 'r'
    OR p.relkind = 'p'
       AND NOT EXISTS (SELECT 1
                         FROM tree t
                         JOIN pg_catalog.pg_class l ON l.oid = t.leaf
                        WHERE t.root = p.oid AND l.relkind = 'f')
 ORDER BY p.place
