-- Whether something of users is called as one of the words in $1, which are no such keywords here.
WITH words AS (
    SELECT w.word
      FROM pg_catalog.unnest($1::text[]) AS w (word)
     WHERE w.word NOT IN (SELECT k.word::text FROM pg_catalog.pg_get_keywords() k WHERE k.catcode <> 'U')
)
SELECT EXISTS (SELECT
                 FROM pg_catalog.pg_attribute a
                WHERE a.attrelid >= 16384 AND a.attnum > 0 AND a.attname::text IN (SELECT word FROM words))
    OR EXISTS (SELECT
                 FROM pg_catalog.pg_class c
                WHERE c.oid >= 16384 AND c.relname::text IN (SELECT word FROM words))
    OR EXISTS (SELECT
                 FROM pg_catalog.pg_type t
                WHERE t.oid >= 16384 AND t.typname::text IN (SELECT word FROM words))
    OR EXISTS (SELECT
                 FROM pg_catalog.pg_proc p
                WHERE p.oid >= 16384
                  AND (p.proname::text IN (SELECT word FROM words)
                       OR p.proargnames && ARRAY(SELECT word FROM words)))
