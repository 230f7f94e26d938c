-- Every foreign key that a user has declared; those that partitions inherit are not listed.
SELECT n.nspname::text AS schema,
       c.relname::text AS table_name,
       k.conname::text AS name,
       rn.nspname::text AS referenced_schema,
       rc.relname::text AS referenced_table
  FROM pg_catalog.pg_constraint k
  JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_class rc ON rc.oid = k.confrelid
  JOIN pg_catalog.pg_namespace rn ON rn.oid = rc.relnamespace
 WHERE k.contype = 'f'
   AND coalesce(pg_catalog.to_jsonb(k) ->> 'conparentid', '0') = '0'
 ORDER BY 1, 2, 3
