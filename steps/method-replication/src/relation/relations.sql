-- Every table of users: what tells it from another of the same name, how its changes are published by the publications
-- that $1 names, and its columns. A partition is published through its topmost published ancestor; one whose
-- DETACH PARTITION CONCURRENTLY is pending has none. What stands in braces depends on the version.
WITH RECURSIVE relation AS (
    SELECT c.oid, n.nspname::text AS schema, c.relname::text AS name, c.xmin::text::bigint AS version, c.relkind, c.relpersistence, c.relpages,
           t.xmin::text AS name_version,
           pg_catalog.left(pg_catalog.md5(pg_catalog.concat_ws(' ', t.typowner, t.typacl)), 8) AS name_options,
           n.xmin::text AS schema_version,
           pg_catalog.left(pg_catalog.md5(pg_catalog.concat_ws(' ', n.nspowner, n.nspacl)), 8) AS schema_options
      FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      JOIN pg_catalog.pg_type t ON t.oid = c.reltype
     WHERE c.relkind IN ('r', 'p')
       AND c.relpersistence <> 't'
       AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pghaul')
       AND n.nspname !~ '^pg_(toast|temp)'
), parent AS (
    SELECT i.inhrelid, i.inhparent, {pending} AS pending, '/' || i.inhparent || ':' || i.xmin::text AS link
      FROM pg_catalog.pg_inherits i
      JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid AND c.relispartition
), chain (oid, ancestor, depth, links) AS (
    SELECT r.oid, r.oid, 0, ''
      FROM relation r
    UNION ALL
    SELECT t.oid, p.inhparent, t.depth + 1, t.links || p.link
      FROM chain t
      JOIN parent p ON p.inhrelid = t.ancestor AND NOT p.pending
), published AS (
    SELECT DISTINCT ON (t.oid) t.oid, t.ancestor AS root, t.links, m.oid AS member
      FROM chain t
      JOIN pg_catalog.pg_publication_rel m ON m.prrelid = t.ancestor
      JOIN pg_catalog.pg_publication b ON b.oid = m.prpubid AND b.pubname::text = ANY ($1::text[])
     ORDER BY t.oid, t.depth DESC
), topmost AS (
    SELECT DISTINCT ON (t.oid) t.oid, t.ancestor
      FROM chain t
     ORDER BY t.oid, t.depth DESC
), attributes AS (
    SELECT a.attrelid,
           pg_catalog.array_agg(a.attnum ORDER BY a.attnum) AS numbers,
           pg_catalog.array_agg(a.attname::text ORDER BY a.attnum) AS names,
           pg_catalog.array_agg(pg_catalog.format_type(a.atttypid, a.atttypmod) ORDER BY a.attnum) AS types,
           pg_catalog.array_agg({generated} ORDER BY a.attnum) AS generated,
           pg_catalog.array_agg({missing} ORDER BY a.attnum) AS missing,
           pg_catalog.array_agg(CASE WHEN NOT {generated} AND NOT {has_missing} THEN a.xmin::text::bigint END
                                ORDER BY a.attnum) AS versions,
           pg_catalog.array_agg(pg_catalog.left(pg_catalog.md5(
               pg_catalog.concat_ws(' ', d.oid, a.attnotnull, a.attstattarget, a.attstorage, a.attidentity,
                                    a.attacl, o.own)), 8) ORDER BY a.attnum) AS options,
           pg_catalog.array_agg(pg_catalog.left(pg_catalog.md5(
               pg_catalog.concat_ws(' ', pg_catalog.regexp_replace(d.adbin::text, ' :location -?[0-9]+', '', 'g'), a.attnotnull,
                                    a.attstattarget, a.attstorage, a.attidentity, a.attacl, o.own)), 8)
                                ORDER BY a.attnum) AS meanings,
           pg_catalog.array_agg(CASE WHEN a.attidentity <> '' THEN 'v' WHEN NOT a.atthasdef THEN 'n'
                                     WHEN d.adbin::text LIKE '{CONST %' THEN 'c' ELSE 'v' END
                                ORDER BY a.attnum) AS defaults
      FROM pg_catalog.pg_attribute a
      JOIN relation r ON r.oid = a.attrelid
      LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
      -- The server's own option pg_attver, of minor versions of November 2026, changes with the column's type.
     CROSS JOIN LATERAL (SELECT pg_catalog.array_agg(option) AS own
                           FROM pg_catalog.unnest(a.attoptions) AS option
                          WHERE option !~ '^pg_attver=') o
     WHERE a.attnum > 0
       AND NOT a.attisdropped
     GROUP BY a.attrelid
), firing AS (
    SELECT t.tgrelid,
           pg_catalog.array_agg((pg_catalog.pg_identify_object('pg_catalog.pg_trigger'::pg_catalog.regclass, t.oid, 0)).identity
                                ORDER BY t.tgname) AS triggers
      FROM pg_catalog.pg_trigger t
      JOIN relation r ON r.oid = t.tgrelid
     WHERE t.tgenabled IN ('A', 'R')
       AND NOT t.tgisinternal
     GROUP BY t.tgrelid
)
SELECT r.oid,
       r.schema,
       r.name,
       r.version,
       r.name_version,
       r.name_options,
       r.schema_version,
       r.schema_options,
       r.relpersistence = 'u' AS unlogged,
       pg_catalog.pg_relation_filenode(r.oid) AS file,
       r.relpages = 0 AS without_pages,
       pg_catalog.pg_stat_get_live_tuples(r.oid) > 0 AS has_rows,
       coalesce(o.pending, false) AS pending,
       p.root,
       p.links,
       p.member,
       t.ancestor AS topmost,
       f.triggers AS firing,
       a.numbers,
       a.names,
       a.types,
       a.generated,
       a.missing,
       a.versions,
       a.options,
       a.meanings,
       a.defaults
  FROM relation r
  LEFT JOIN parent o ON o.inhrelid = r.oid
  LEFT JOIN published p ON p.oid = r.oid
  LEFT JOIN topmost t ON t.oid = r.oid
  LEFT JOIN firing f ON f.tgrelid = r.oid
  LEFT JOIN attributes a ON a.attrelid = r.oid
