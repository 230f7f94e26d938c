-- Constraints of tables; of NOT NULL constraints, which PostgreSQL 18 lists, those that are not valid. $1 says whether
-- definitions are wanted.
SELECT k.conrelid,
       k.conname::text,
       k.contype::text,
       k.confrelid,
       {constraint_of_parent},
       k.convalidated,
       {enforced},
       k.condeferrable,
       k.condeferred,
       CASE WHEN $1::boolean AND k.contype NOT IN ('p', 'u') THEN pg_catalog.pg_get_constraintdef(k.oid) END
  FROM pg_catalog.pg_constraint k
  JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE (k.contype IN ('c', 'f', 'p', 'u', 'x') OR k.contype = 'n' AND NOT k.convalidated)
   AND {of_users}
 ORDER BY k.conrelid, k.conname::text COLLATE "C"
