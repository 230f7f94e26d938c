-- Indexes. $1 says whether definitions are wanted.
SELECT i.indrelid,
       x.relname::text,
       i.indisprimary,
       i.indisunique,
       i.indisreplident,
       i.indimmediate,
       i.indisvalid,
       CASE WHEN $1::boolean THEN pg_catalog.pg_get_indexdef(i.indexrelid) END
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
  JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'm')
   AND {of_users}
 ORDER BY i.indrelid, x.relname::text COLLATE "C"
