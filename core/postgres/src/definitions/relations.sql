-- Where rows go: the kind, persistence and place in a tree.
SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, c.oid, c.relnamespace, 'definition',
       pg_catalog.concat_ws('|', c.relkind, c.relpersistence, pg_catalog.pg_get_partkeydef(c.oid),
           pg_catalog.pg_get_expr(c.relpartbound, c.oid), NULLIF(c.reloftype, 0)::pg_catalog.regtype,
           (SELECT pg_catalog.string_agg(i.inhparent::pg_catalog.regclass || {detach_pending}, ',' ORDER BY i.inhseqno)
              FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid))
  FROM pg_catalog.pg_class c
 WHERE c.relkind IN ('r', 'p', 'f')
UNION ALL
-- How they are kept.
SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, c.oid, c.relnamespace, 'options',
       pg_catalog.concat_ws('|', c.reloptions, t.spcname, c.relrowsecurity, c.relforcerowsecurity, c.relreplident,
           -- PostgreSQL 12 brought others.
           COALESCE((SELECT a.amname FROM pg_catalog.pg_am a WHERE a.oid = c.relam),
                    CASE WHEN c.relkind IN ('r', 'm') THEN 'heap' END),
           (SELECT i.indexrelid::pg_catalog.regclass FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisreplident),
           (SELECT pg_catalog.concat_ws('|', s.srvname, f.ftoptions) FROM pg_catalog.pg_foreign_table f
              JOIN pg_catalog.pg_foreign_server s ON s.oid = f.ftserver WHERE f.ftrelid = c.oid))
  FROM pg_catalog.pg_class c
  LEFT JOIN pg_catalog.pg_tablespace t ON t.oid = c.reltablespace
 WHERE c.relkind IN ('r', 'p', 'f', 'm')
UNION ALL
-- What a value is; the order does not matter to COPY and replication, which name the columns.
SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, c.oid, c.relnamespace, 'columns',
       (SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ', a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod),
                   (SELECT l.collname FROM pg_catalog.pg_collation l WHERE l.oid = a.attcollation), {generated}), ',' ORDER BY a.attname)
          FROM pg_catalog.pg_attribute a
         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
  FROM pg_catalog.pg_class c
 WHERE c.relkind IN ('r', 'p', 'f', 'c')
UNION ALL
SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, c.oid, c.relnamespace, 'column-options',
       (SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ', a.attname, a.attnotnull, a.attidentity, a.attstorage, {compression},
                   NULLIF(a.attstattarget, -1),
                   (SELECT pg_catalog.string_agg(o, ',' ORDER BY o) FROM pg_catalog.unnest(a.attoptions) o WHERE o !~ '^pg_attver='),
                   a.attfdwoptions, pg_catalog.pg_get_expr(d.adbin, d.adrelid)), ',' ORDER BY a.attname)
          FROM pg_catalog.pg_attribute a
          LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
  FROM pg_catalog.pg_class c
 WHERE c.relkind IN ('r', 'p', 'f')
UNION ALL
SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, c.oid, c.relnamespace, 'definition',
       pg_catalog.concat_ws('|', pg_catalog.pg_get_viewdef(c.oid), c.reloptions)
  FROM pg_catalog.pg_class c
 WHERE c.relkind IN ('v', 'm')
UNION ALL
SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, i.indexrelid, c.relnamespace, 'definition',
       pg_catalog.concat_ws('|', pg_catalog.pg_get_indexdef(i.indexrelid), i.indisvalid, i.indisclustered)
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
 WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
UNION ALL
-- Validating a constraint that was not is no change.
SELECT 'pg_catalog.pg_constraint'::pg_catalog.regclass, k.oid, k.connamespace, 'definition',
       pg_catalog.replace(pg_catalog.pg_get_constraintdef(k.oid), ' NOT VALID', '')
  FROM pg_catalog.pg_constraint k
 WHERE k.contype <> 't'
UNION ALL
SELECT 'pg_catalog.pg_trigger'::pg_catalog.regclass, t.oid, c.relnamespace, 'definition',
       pg_catalog.concat_ws('|', pg_catalog.pg_get_triggerdef(t.oid), t.tgenabled)
  FROM pg_catalog.pg_trigger t
  JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
 WHERE NOT t.tgisinternal
UNION ALL
SELECT 'pg_catalog.pg_rewrite'::pg_catalog.regclass, r.oid, c.relnamespace, 'definition',
       pg_catalog.concat_ws('|', pg_catalog.pg_get_ruledef(r.oid), r.ev_enabled)
  FROM pg_catalog.pg_rewrite r
  JOIN pg_catalog.pg_class c ON c.oid = r.ev_class
 WHERE r.rulename <> '_RETURN'
UNION ALL
SELECT 'pg_catalog.pg_policy'::pg_catalog.regclass, p.oid, c.relnamespace, 'definition',
       pg_catalog.concat_ws('|', p.polcmd, p.polpermissive,
           (SELECT pg_catalog.string_agg(CASE WHEN r = 0 THEN 'PUBLIC' ELSE {role:r} END, ',' ORDER BY r)
              FROM pg_catalog.unnest(p.polroles) r),
           pg_catalog.pg_get_expr(p.polqual, p.polrelid), pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid))
  FROM pg_catalog.pg_policy p
  JOIN pg_catalog.pg_class c ON c.oid = p.polrelid
UNION ALL
SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, c.oid, c.relnamespace, 'definition',
       pg_catalog.concat_ws('|', s.seqtypid::pg_catalog.regtype, s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache, s.seqcycle,
           (SELECT a.attrelid::pg_catalog.regclass || '.' || a.attname
              FROM pg_catalog.pg_depend d
              JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
             WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid
               AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype IN ('a', 'i')))
  FROM pg_catalog.pg_sequence s
  JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid
UNION ALL
SELECT 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass, s.oid, s.stxnamespace, 'definition', pg_catalog.pg_get_statisticsobjdef(s.oid)
  FROM pg_catalog.pg_statistic_ext s
