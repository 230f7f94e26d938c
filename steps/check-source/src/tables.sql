-- Relations whose rows replication does not keep up to date, or not safely, with the class that explains it and, for a
-- table without a usable replica identity, the reason. Members of extensions are left out: their rows are the
-- extension's business.
WITH keys AS (
    SELECT i.indrelid,
           bool_or(i.indisprimary) AS has_primary,
           bool_or(i.indisprimary AND i.indimmediate AND i.indisvalid) AS primary_usable,
           bool_or(i.indisreplident AND i.indimmediate AND i.indisvalid) AS identity_usable
      FROM pg_catalog.pg_index i
     WHERE i.indisprimary OR i.indisreplident
     GROUP BY i.indrelid
), comparable AS (
    SELECT o.opcintype AS oid
      FROM pg_catalog.pg_opclass o
      JOIN pg_catalog.pg_am m ON m.oid = o.opcmethod
     WHERE m.amname IN ('btree', 'hash') AND o.opcdefault
), incomparable AS (
    SELECT t.oid
      FROM pg_catalog.pg_type t
     WHERE t.typtype = 'b'
       AND t.typcategory <> 'A'
       AND t.oid NOT IN (SELECT b.oid FROM comparable b)
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_cast k
                        WHERE k.castsource = t.oid AND k.castmethod = 'b' AND k.castcontext = 'i'
                          AND k.casttarget IN (SELECT b.oid FROM comparable b))
), kinds AS (
    SELECT n.nspname::text AS schema,
           c.relname::text AS name,
           CASE WHEN c.relkind = 'f' THEN 'foreign'
                WHEN c.relkind = 'm' THEN 'view'
                WHEN c.relpersistence = 'u' THEN 'unlogged'
                WHEN c.relreplident = 'f' THEN
                    CASE WHEN NOT coalesce(k.primary_usable, false)
                              AND EXISTS (SELECT FROM pg_catalog.pg_attribute a
                                            JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
                                           WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                                             AND (t.oid IN (SELECT x.oid FROM incomparable x)
                                                  OR t.typcategory = 'A' AND t.typelem IN (SELECT x.oid FROM incomparable x)
                                                  OR t.typbasetype IN (SELECT x.oid FROM incomparable x)))
                         THEN 'incomparable'
                    END
                WHEN c.relreplident = 'n' THEN 'nothing'
                WHEN c.relreplident = 'i' AND NOT coalesce(k.identity_usable, false) THEN 'index'
                WHEN c.relreplident = 'd' AND coalesce(k.has_primary, false) AND NOT k.primary_usable THEN 'deferrable'
                WHEN c.relreplident = 'd' AND NOT coalesce(k.has_primary, false) THEN 'no key'
           END AS class
      FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      LEFT JOIN keys k ON k.indrelid = c.oid
     WHERE c.relkind IN ('r', 'm', 'f')
       AND c.relpersistence <> 't'
       AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pghaul')
       AND n.nspname !~ '^pg_(toast|temp)'
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                        WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                          AND d.objid = c.oid AND d.objsubid = 0 AND d.deptype = 'e')
)
SELECT k.schema, k.name, k.class
  FROM kinds k
 WHERE k.class IS NOT NULL
 ORDER BY k.schema COLLATE "C", k.name COLLATE "C"
