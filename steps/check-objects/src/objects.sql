-- Objects made by users of kinds that newer versions do not have, by class. Members of extensions come with the target's
-- own version of the extension, and temporary objects go with their sessions. $1 and $2 identify what is left out.
WITH members AS (
    SELECT d.classid, d.objid FROM pg_catalog.pg_depend d WHERE d.deptype = 'e'
), old_functions AS (
    SELECT p.oid
      FROM pg_catalog.pg_proc p
     WHERE p.pronamespace = 'pg_catalog'::pg_catalog.regnamespace
       AND p.proname IN ('array_append', 'array_cat', 'array_prepend', 'array_remove', 'array_replace',
                         'array_position', 'array_positions', 'width_bucket')
       AND 'pg_catalog.anyarray'::pg_catalog.regtype = ANY (p.proargtypes::pg_catalog.oid[])
), objects (class, classid, oid, name) AS (
    -- Before PostgreSQL 12 the column oid of a table WITH OIDS is the system's column -2.
    SELECT 'oids', 'pg_catalog.pg_class'::pg_catalog.regclass, c.oid, c.oid::pg_catalog.regclass::text
      FROM pg_catalog.pg_attribute a
      JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
     WHERE a.attnum = -2 AND a.attname = 'oid' AND c.relkind IN ('r', 'p')
    UNION ALL
    SELECT 'index', 'pg_catalog.pg_class'::pg_catalog.regclass, i.indexrelid, i.indexrelid::pg_catalog.regclass::text
      FROM pg_catalog.pg_index i
     WHERE -2 = ANY (i.indkey::pg_catalog.int2[])
    UNION ALL
    SELECT 'postfix', 'pg_catalog.pg_operator'::pg_catalog.regclass, o.oid, o.oid::pg_catalog.regoperator::text
      FROM pg_catalog.pg_operator o
     WHERE o.oprright = 0 AND o.oprleft <> 0
    UNION ALL
    SELECT 'polymorphic', 'pg_catalog.pg_proc'::pg_catalog.regclass, g.aggfnoid::pg_catalog.oid,
           'aggregate ' || g.aggfnoid::pg_catalog.regprocedure::text
      FROM pg_catalog.pg_aggregate g
     WHERE (g.aggtransfn IN (SELECT f.oid FROM old_functions f) OR g.aggfinalfn IN (SELECT f.oid FROM old_functions f))
       AND g.aggtranstype IN ('pg_catalog.anyarray'::pg_catalog.regtype, 'pg_catalog.anyelement'::pg_catalog.regtype)
    UNION ALL
    SELECT 'polymorphic', 'pg_catalog.pg_operator'::pg_catalog.regclass, o.oid,
           'operator ' || o.oid::pg_catalog.regoperator::text
      FROM pg_catalog.pg_operator o
     WHERE o.oprcode IN (SELECT f.oid FROM old_functions f)
       AND o.oprleft IN ('pg_catalog.anyarray'::pg_catalog.regtype, 'pg_catalog.anyelement'::pg_catalog.regtype)
    UNION ALL
    SELECT 'conversion', 'pg_catalog.pg_conversion'::pg_catalog.regclass, v.oid,
           pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(v.conname)
      FROM pg_catalog.pg_conversion v
      JOIN pg_catalog.pg_namespace n ON n.oid = v.connamespace
    UNION ALL
    SELECT 'opaque', 'pg_catalog.pg_proc'::pg_catalog.regclass, p.oid, p.oid::pg_catalog.regprocedure::text
      FROM pg_catalog.pg_proc p
      JOIN pg_catalog.pg_type t ON t.typname = 'opaque' AND t.typnamespace = 'pg_catalog'::pg_catalog.regnamespace
     WHERE t.oid = p.prorettype OR t.oid = ANY (p.proargtypes::pg_catalog.oid[])
)
SELECT o.class, o.name
  FROM objects o
 WHERE o.oid >= 16384
   AND NOT EXISTS (SELECT FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.oid[]), pg_catalog.unnest($2::pg_catalog.oid[])) AS l (classid, objid)
                    WHERE l.classid = o.classid AND l.objid = o.oid)
   AND NOT EXISTS (SELECT FROM members m WHERE m.classid = o.classid AND m.objid = o.oid)
   AND NOT EXISTS (SELECT
                     FROM pg_catalog.pg_depend d
                     JOIN pg_catalog.pg_namespace n ON n.oid = d.refobjid AND n.nspname ~ '^pg_(toast|temp)'
                    WHERE d.classid = o.classid AND d.objid = o.oid
                      AND d.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass)
 ORDER BY o.class, o.name COLLATE "C"
