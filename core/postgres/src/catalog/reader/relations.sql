-- Relations with columns. $1 says whether sizes are wanted, $2 whether definitions are. A relation that is dropped
-- meanwhile has no privileges and no size.
WITH members AS (
    SELECT d.objid AS oid, e.oid AS extension, e.extname
      FROM pg_catalog.pg_depend d
      JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
     WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
       AND d.objsubid = 0
       AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
       AND d.deptype = 'e'
), configuration AS (
    SELECT f.oid, f.filter
      FROM pg_catalog.pg_extension e
     CROSS JOIN LATERAL ROWS FROM (pg_catalog.unnest(e.extconfig), pg_catalog.unnest(e.extcondition)) AS f (oid, filter)
     WHERE e.extconfig IS NOT NULL
)
SELECT c.oid,
       n.nspname::text,
       c.relname::text,
       c.relkind::text,
       c.relpersistence = 'u',
       pg_catalog.pg_get_userbyid(c.relowner)::text,
       pg_catalog.pg_has_role(c.relowner, 'USAGE'),
       pg_catalog.has_table_privilege(c.oid, 'SELECT'),
       a.amname::text,
       c.reloptions,
       c.relrowsecurity,
       c.relforcerowsecurity,
       c.relreplident::text,
       pg_catalog.pg_relation_filenode(c.oid),
       c.relispopulated,
       CASE WHEN $1::boolean AND c.relkind = 'r' THEN pg_catalog.pg_table_size(c.oid) END,
       CASE WHEN $1::boolean AND c.relkind = 'r'
            THEN pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::bigint
       END,
       CASE WHEN $2::boolean
            THEN CASE WHEN c.relkind = 'p' THEN pg_catalog.pg_get_partkeydef(c.oid)
                      WHEN c.relkind IN ('v', 'm') THEN pg_catalog.pg_get_viewdef(c.oid)
                 END
       END,
       m.extname::text,
       x.filter
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_am a ON a.oid = c.relam
  LEFT JOIN members m ON m.oid = c.oid
  LEFT JOIN configuration x ON x.oid = c.oid
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
   AND {of_users}
