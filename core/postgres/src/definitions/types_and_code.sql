SELECT 'pg_catalog.pg_namespace'::pg_catalog.regclass, n.oid, n.oid, 'definition', ''
  FROM pg_catalog.pg_namespace n
UNION ALL
SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid, t.typnamespace, 'definition',
       pg_catalog.concat_ws('|', t.typtype, t.typlen, t.typalign, t.typinput, t.typoutput, t.typdelim, t.typnotnull, t.typdefault,
           CASE WHEN t.typtype = 'd' THEN pg_catalog.format_type(t.typbasetype, t.typtypmod) END,
           (SELECT l.collname FROM pg_catalog.pg_collation l WHERE l.oid = t.typcollation),
           (SELECT pg_catalog.string_agg(e.enumlabel, ',' ORDER BY e.enumsortorder) FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid),
           (SELECT pg_catalog.concat_ws('|', r.rngsubtype::pg_catalog.regtype, r.rngcanonical, r.rngsubdiff,
                       (SELECT o.opcname FROM pg_catalog.pg_opclass o WHERE o.oid = r.rngsubopc))
              FROM pg_catalog.pg_range r WHERE r.rngtypid = t.oid))
  FROM pg_catalog.pg_type t
 WHERE t.typtype IN ('b', 'd', 'e', 'r') AND NOT (t.typelem <> 0 AND t.typlen = -1) AND t.typisdefined
UNION ALL
SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass, p.oid, p.pronamespace, 'definition',
       pg_catalog.concat_ws('|', {procedure_kind}, l.lanname, p.provolatile, p.proisstrict, p.prosecdef, p.proleakproof, p.proparallel,
           p.procost, p.prorows, pg_catalog.pg_get_function_arguments(p.oid), pg_catalog.pg_get_function_result(p.oid),
           p.prosrc, p.probin, p.proconfig, {sql_body},
           (SELECT pg_catalog.concat_ws('|', g.aggkind, g.aggtransfn, g.aggfinalfn, g.aggcombinefn, g.aggmtransfn, g.aggminvtransfn,
                       g.aggmfinalfn, g.aggtranstype::pg_catalog.regtype, g.agginitval, g.aggminitval, g.aggsortop::pg_catalog.regoperator)
              FROM pg_catalog.pg_aggregate g WHERE g.aggfnoid = p.oid))
  FROM pg_catalog.pg_proc p
  JOIN pg_catalog.pg_language l ON l.oid = p.prolang
UNION ALL
SELECT 'pg_catalog.pg_operator'::pg_catalog.regclass, o.oid, o.oprnamespace, 'definition',
       pg_catalog.concat_ws('|', o.oprresult::pg_catalog.regtype, o.oprcode, o.oprrest, o.oprjoin, o.oprcanmerge, o.oprcanhash,
           o.oprcom::pg_catalog.regoperator, o.oprnegate::pg_catalog.regoperator)
  FROM pg_catalog.pg_operator o
UNION ALL
SELECT 'pg_catalog.pg_opfamily'::pg_catalog.regclass, f.oid, f.opfnamespace, 'definition',
       pg_catalog.concat_ws('|',
           (SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ', a.amopstrategy, a.amopopr::pg_catalog.regoperator), ',' ORDER BY a.amopstrategy, a.amopopr)
              FROM pg_catalog.pg_amop a WHERE a.amopfamily = f.oid),
           (SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ', a.amprocnum, a.amproc), ',' ORDER BY a.amprocnum, a.amproc)
              FROM pg_catalog.pg_amproc a WHERE a.amprocfamily = f.oid))
  FROM pg_catalog.pg_opfamily f
UNION ALL
SELECT 'pg_catalog.pg_opclass'::pg_catalog.regclass, c.oid, c.opcnamespace, 'definition',
       pg_catalog.concat_ws('|', c.opcintype::pg_catalog.regtype, c.opcdefault, c.opckeytype::pg_catalog.regtype)
  FROM pg_catalog.pg_opclass c
UNION ALL
SELECT 'pg_catalog.pg_cast'::pg_catalog.regclass, c.oid, 0::pg_catalog.oid, 'definition',
       pg_catalog.concat_ws('|', c.castfunc::pg_catalog.regprocedure, c.castcontext, c.castmethod)
  FROM pg_catalog.pg_cast c
UNION ALL
SELECT 'pg_catalog.pg_collation'::pg_catalog.regclass, c.oid, c.collnamespace, 'definition',
       (pg_catalog.to_jsonb(c) - 'oid' - 'collnamespace' - 'collowner' - 'collversion')::pg_catalog.text
  FROM pg_catalog.pg_collation c
UNION ALL
SELECT 'pg_catalog.pg_conversion'::pg_catalog.regclass, c.oid, c.connamespace, 'definition',
       (pg_catalog.to_jsonb(c) - 'oid' - 'connamespace' - 'conowner')::pg_catalog.text
  FROM pg_catalog.pg_conversion c
UNION ALL
SELECT 'pg_catalog.pg_ts_config'::pg_catalog.regclass, c.oid, c.cfgnamespace, 'definition',
       (SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ', m.maptokentype, m.mapseqno, m.mapdict::pg_catalog.regdictionary), ',' ORDER BY m.maptokentype, m.mapseqno)
          FROM pg_catalog.pg_ts_config_map m WHERE m.mapcfg = c.oid)
  FROM pg_catalog.pg_ts_config c
UNION ALL
SELECT 'pg_catalog.pg_ts_dict'::pg_catalog.regclass, d.oid, d.dictnamespace, 'definition', d.dictinitoption
  FROM pg_catalog.pg_ts_dict d
UNION ALL
SELECT 'pg_catalog.pg_ts_parser'::pg_catalog.regclass, p.oid, p.prsnamespace, 'definition',
       pg_catalog.concat_ws('|', p.prsstart, p.prstoken, p.prsend, p.prsheadline, p.prslextype)
  FROM pg_catalog.pg_ts_parser p
UNION ALL
SELECT 'pg_catalog.pg_ts_template'::pg_catalog.regclass, t.oid, t.tmplnamespace, 'definition', pg_catalog.concat_ws('|', t.tmplinit, t.tmpllexize)
  FROM pg_catalog.pg_ts_template t
