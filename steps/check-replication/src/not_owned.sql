-- Tables that would be published and that the current role does not own, itself or by membership. $1 says whether
-- partition trees are published as their roots. Tables without an identity are not published.
SELECT n.nspname::text AS schema,
       c.relname::text AS name,
       pg_catalog.pg_get_userbyid(c.relowner)::text AS owner
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relpersistence = 'p'
   AND CASE WHEN $1::boolean
            THEN (c.relkind = 'p' OR c.relkind = 'r') AND NOT c.relispartition
            ELSE c.relkind = 'r'
       END
   AND NOT pg_catalog.pg_has_role(c.relowner, 'USAGE')
   AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pghaul')
   AND n.nspname !~ '^pg_(toast|temp)'
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                    WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                      AND d.objid = c.oid AND d.objsubid = 0 AND d.deptype = 'e')
   AND (c.relkind = 'p'
        OR c.relreplident = 'f'
        OR EXISTS (SELECT FROM pg_catalog.pg_index i
                    WHERE i.indrelid = c.oid AND i.indimmediate AND i.indisvalid
                      AND CASE c.relreplident
                              WHEN 'd' THEN i.indisprimary
                              WHEN 'i' THEN i.indisreplident
                              ELSE false
                          END))
 ORDER BY n.nspname::text COLLATE "C", c.relname::text COLLATE "C"
