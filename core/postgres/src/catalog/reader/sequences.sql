-- Sequences, with the column that each belongs to: `a` of one that owns it, `i` of an identity column. One that is
-- dropped meanwhile has no privileges.
SELECT c.oid,
       n.nspname::text,
       c.relname::text,
       pg_catalog.pg_get_userbyid(c.relowner)::text,
       pg_catalog.has_sequence_privilege(c.oid, 'SELECT'),
       c.relpersistence = 'u',
       o.refobjid,
       o.refobjsubid::pg_catalog.int2,
       o.deptype = 'i',
       e.extname::text,
       (SELECT f.filter
          FROM ROWS FROM (pg_catalog.unnest(e.extconfig), pg_catalog.unnest(e.extcondition)) AS f (oid, filter)
         WHERE f.oid = c.oid),
       pg_catalog.format_type(s.seqtypid, NULL),
       s.seqstart,
       s.seqincrement,
       s.seqmin,
       s.seqmax,
       s.seqcache,
       s.seqcycle
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_sequence s ON s.seqrelid = c.oid
  LEFT JOIN pg_catalog.pg_depend o
         ON o.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND o.objid = c.oid AND o.objsubid = 0
        AND o.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND o.refobjsubid > 0
        AND o.deptype IN ('a', 'i')
  LEFT JOIN pg_catalog.pg_depend d
         ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.objsubid = 0
        AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.deptype = 'e'
  LEFT JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
 WHERE c.relkind = 'S'
   AND {of_users}
 ORDER BY n.nspname::text COLLATE "C", c.relname::text COLLATE "C"
