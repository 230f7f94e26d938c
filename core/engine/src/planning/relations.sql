-- Every relation of the database that can hold rows of somebody, with the facts that decide its class.
-- One pass over each catalog; works on PostgreSQL 10 to 18.
WITH RECURSIVE tree (oid, root) AS (
    SELECT c.oid, c.oid
      FROM pg_catalog.pg_class c
     WHERE c.relkind = 'p' AND NOT c.relispartition
    UNION ALL
    SELECT i.inhrelid, t.root
      FROM pg_catalog.pg_inherits i
      JOIN tree t ON t.oid = i.inhparent
), keys AS (
    SELECT i.indrelid,
           bool_or(i.indisprimary) AS has_primary,
           bool_or(i.indisprimary AND i.indimmediate AND i.indisvalid) AS primary_usable,
           bool_or(i.indisreplident AND i.indimmediate AND i.indisvalid) AS identity_usable
      FROM pg_catalog.pg_index i
     WHERE i.indisprimary OR i.indisreplident
     GROUP BY i.indrelid
), extension_members AS (
    SELECT d.objid
      FROM pg_catalog.pg_depend d
     WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
       AND d.deptype = 'e'
       AND d.objsubid = 0
), extension_configuration AS (
    SELECT f.oid, f.filter
      FROM pg_catalog.pg_extension e
     CROSS JOIN LATERAL ROWS FROM (pg_catalog.unnest(e.extconfig), pg_catalog.unnest(e.extcondition)) AS f (oid, filter)
     WHERE e.extconfig IS NOT NULL
)
SELECT c.oid,
       n.nspname::text AS schema,
       c.relname::text AS name,
       c.relkind::text AS kind,
       c.relpersistence = 'u' AS unlogged,
       CASE WHEN t.root <> c.oid THEN t.root END AS root,
       c.relreplident::text AS replica_identity,
       coalesce(k.has_primary, false) AS has_primary_key,
       coalesce(CASE c.relreplident
                    WHEN 'i' THEN k.identity_usable
                    WHEN 'd' THEN k.primary_usable
                END, false) AS key_usable,
       m.objid IS NOT NULL AS of_extension,
       x.filter AS extension_filter
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN tree t ON t.oid = c.oid
  LEFT JOIN keys k ON k.indrelid = c.oid
  LEFT JOIN extension_members m ON m.objid = c.oid
  LEFT JOIN extension_configuration x ON x.oid = c.oid
 WHERE c.relkind IN ('r', 'p', 'm', 'f')
   AND c.relpersistence <> 't'
   AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pghaul')
   AND n.nspname !~ '^pg_(toast|temp)'
 ORDER BY n.nspname::text COLLATE "C", c.relname::text COLLATE "C"
