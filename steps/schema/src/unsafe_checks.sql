-- Checks that may not hold for rows that they once held for, or not where replicated changes are applied: they call a function
-- that is not immutable or that a user wrote, which may read other tables, or depend on settings in another way. The functions
-- stand in the text of the expression's tree; dependencies on built-in ones are not recorded.
-- A domain that columns hold within arrays, composites or ranges keeps its checks: there the server could not validate one later.
WITH RECURSIVE parts (part, whole, is_domain) AS (
    SELECT t.oid, t.typarray, false FROM pg_catalog.pg_type t WHERE t.typarray <> 0
    UNION ALL
    SELECT t.typbasetype, t.oid, true FROM pg_catalog.pg_type t WHERE t.typtype = 'd'
    UNION ALL
    SELECT r.rngsubtype, r.rngtypid, false FROM pg_catalog.pg_range r
    UNION ALL
    SELECT a.atttypid, c.reltype, false
      FROM pg_catalog.pg_attribute a
      JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
     WHERE c.reltype <> 0 AND a.attnum > 0 AND NOT a.attisdropped
), within (domain, type, is_held) AS (
    SELECT DISTINCT k.contypid, k.contypid, false
      FROM pg_catalog.pg_constraint k
     WHERE k.contype = 'c' AND k.contypid >= 16384
    UNION
    SELECT w.domain, p.whole, w.is_held OR NOT p.is_domain
      FROM within w
      JOIN parts p ON p.part = w.type
), held AS (
    SELECT DISTINCT w.domain
      FROM within w
      JOIN pg_catalog.pg_attribute a ON a.atttypid = w.type
      JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
     WHERE w.is_held AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'm')
), checks AS (
    SELECT k.oid, k.conname, k.conrelid, k.contypid, k.connamespace, k.coninhcount, k.conislocal,
           k.conbin::text AS tree
      FROM pg_catalog.pg_constraint k
     WHERE k.contype = 'c'
       AND k.convalidated
       AND k.contypid NOT IN (SELECT h.domain FROM held h)
       AND coalesce((pg_catalog.to_jsonb(k) ->> 'conenforced')::bool, true)
       AND k.connamespace NOT IN (SELECT n.oid
                                    FROM pg_catalog.pg_namespace n
                                   WHERE n.nspname IN ('pg_catalog', 'information_schema', 'pghaul'))
       AND NOT EXISTS (SELECT 1
                         FROM pg_catalog.pg_depend d
                        WHERE d.deptype = 'e'
                          AND (d.classid, d.objid) IN (('pg_catalog.pg_class'::pg_catalog.regclass, k.conrelid),
                                                       ('pg_catalog.pg_type'::pg_catalog.regclass, k.contypid)))
), called AS (
    SELECT c.oid, (m.found)[1]::oid AS function
      FROM checks c,
           pg_catalog.regexp_matches(c.tree, ':(?:funcid|opfuncid|elemfuncid) (\d+)', 'g') AS m (found)
    UNION
    SELECT c.oid, o.oprcode::oid
      FROM checks c,
           pg_catalog.regexp_matches(c.tree, ':opno (\d+)', 'g') AS m (found)
      JOIN pg_catalog.pg_operator o ON o.oid = (m.found)[1]::oid
    UNION
    -- Casts by way of text: what they give depends on how values of these types are written.
    SELECT c.oid, f.function
      FROM checks c,
           pg_catalog.regexp_matches(c.tree, ':(?:resulttype|vartype|funcresulttype|opresulttype|typeId|consttype) (\d+)',
                                     'g') AS m (found)
      JOIN pg_catalog.pg_type t ON t.oid = (m.found)[1]::oid,
           LATERAL (VALUES (t.typinput::oid), (t.typoutput::oid)) AS f (function)
     WHERE c.tree ~ '\{COERCEVIAIO'
), unsafe AS (
    SELECT c.oid
      FROM called c
      JOIN pg_catalog.pg_proc p ON p.oid = c.function
      JOIN pg_catalog.pg_language l ON l.oid = p.prolang
     WHERE p.provolatile <> 'i'
        OR l.lanname NOT IN ('internal', 'c')
           AND NOT EXISTS (SELECT 1
                             FROM pg_catalog.pg_depend d
                            WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
                              AND d.objid = p.oid
                              AND d.deptype = 'e')
           AND p.pronamespace <> 'pg_catalog'::pg_catalog.regnamespace
    UNION
    SELECT c.oid FROM checks c WHERE c.tree ~ '\{SQLVALUEFUNCTION'
)
SELECT n.nspname::text AS schema,
       coalesce(r.relname, t.typname)::text AS of,
       c.conname::text AS name,
       r.oid IS NULL AS of_domain,
       -- What a parent hands down comes with the parent's.
       c.coninhcount = 0 OR c.conislocal AND NOT r.relispartition AS own,
       pg_catalog.pg_get_constraintdef(c.oid) AS definition,
       ARRAY(SELECT DISTINCT s.nspname::text
               FROM pg_catalog.regexp_matches(c.tree, ':opno (\d+)', 'g') AS m (found)
               JOIN pg_catalog.pg_operator o ON o.oid = (m.found)[1]::oid
               JOIN pg_catalog.pg_namespace s ON s.oid = o.oprnamespace
              WHERE s.nspname <> 'pg_catalog'
              ORDER BY 1) AS operators
  FROM checks c
  JOIN unsafe u ON u.oid = c.oid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.connamespace
  LEFT JOIN pg_catalog.pg_class r ON r.oid = c.conrelid
  LEFT JOIN pg_catalog.pg_type t ON t.oid = c.contypid
 ORDER BY 1, 2, 3
