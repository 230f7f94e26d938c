-- The first objects that somebody has created in this database, and how many there are in all.
WITH members AS (
    SELECT d.classid, d.objid FROM pg_catalog.pg_depend d WHERE d.deptype = 'e' AND d.objsubid = 0
), schemas AS (
    SELECT n.oid, n.nspname
      FROM pg_catalog.pg_namespace n
     WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pghaul')
       AND n.nspname !~ '^pg_(toast|temp)'
), objects AS (
    SELECT 'pg_catalog.pg_class'::pg_catalog.regclass AS classid, c.oid AS objid, c.relnamespace AS schema,
           CASE c.relkind WHEN 'S' THEN 2 WHEN 'c' THEN 4 ELSE 1 END AS rank,
           CASE c.relkind WHEN 'S' THEN 'sequence' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
                          WHEN 'f' THEN 'foreign table' WHEN 'c' THEN 'type' ELSE 'table'
           END AS kind,
           c.relname::text AS name
      FROM pg_catalog.pg_class c
     WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c')
    UNION ALL
    SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass, p.oid, p.pronamespace, 3, 'function', p.proname::text
      FROM pg_catalog.pg_proc p
    UNION ALL
    -- Neither row types nor array types, which come with others.
    SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid, t.typnamespace, 4, 'type', t.typname::text
      FROM pg_catalog.pg_type t
     WHERE t.typtype IN ('b', 'd', 'e', 'r')
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_type e WHERE e.typarray = t.oid)
)
SELECT f.object, pg_catalog.count(*) OVER () AS count
  FROM (SELECT o.rank, s.nspname::text AS schema, o.name,
               o.kind || ' ' || pg_catalog.quote_ident(s.nspname) || '.' || pg_catalog.quote_ident(o.name) AS object
          FROM objects o
          JOIN schemas s ON s.oid = o.schema
         WHERE NOT EXISTS (SELECT FROM members m WHERE m.classid = o.classid AND m.objid = o.objid)
        UNION ALL
        SELECT 5, '', l.oid::text, 'large object ' || l.oid
          FROM pg_catalog.pg_largeobject_metadata l) f
 ORDER BY f.rank, f.schema COLLATE "C", f.name COLLATE "C"
 LIMIT 5
