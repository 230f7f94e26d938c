-- Who inherits from whom: partitions and children. $1 says whether definitions are wanted.
SELECT i.inhrelid,
       i.inhparent,
       c.relispartition,
       {detach_pending},
       CASE WHEN $1::boolean THEN pg_catalog.pg_get_expr(c.relpartbound, c.oid) END
  FROM pg_catalog.pg_inherits i
  JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'f')
   AND {of_users}
 ORDER BY i.inhrelid, i.inhseqno
