SELECT 'pg_catalog.pg_extension'::pg_catalog.regclass, e.oid, 0::pg_catalog.oid, 'definition',
       pg_catalog.concat_ws('|', e.extversion, e.extnamespace::pg_catalog.regnamespace)
  FROM pg_catalog.pg_extension e
UNION ALL
SELECT 'pg_catalog.pg_language'::pg_catalog.regclass, l.oid, 0::pg_catalog.oid, 'definition',
       pg_catalog.concat_ws('|', l.lanpltrusted, l.lanplcallfoid::pg_catalog.regproc, l.laninline::pg_catalog.regproc, l.lanvalidator::pg_catalog.regproc)
  FROM pg_catalog.pg_language l
UNION ALL
SELECT 'pg_catalog.pg_am'::pg_catalog.regclass, a.oid, 0::pg_catalog.oid, 'definition', pg_catalog.concat_ws('|', a.amtype, a.amhandler)
  FROM pg_catalog.pg_am a
UNION ALL
SELECT 'pg_catalog.pg_transform'::pg_catalog.regclass, t.oid, 0::pg_catalog.oid, 'definition',
       pg_catalog.concat_ws('|', t.trffromsql, t.trftosql)
  FROM pg_catalog.pg_transform t
UNION ALL
SELECT 'pg_catalog.pg_foreign_data_wrapper'::pg_catalog.regclass, f.oid, 0::pg_catalog.oid, 'definition',
       pg_catalog.concat_ws('|', f.fdwhandler::pg_catalog.regproc, f.fdwvalidator::pg_catalog.regproc, f.fdwoptions)
  FROM pg_catalog.pg_foreign_data_wrapper f
UNION ALL
SELECT 'pg_catalog.pg_foreign_server'::pg_catalog.regclass, s.oid, 0::pg_catalog.oid, 'definition',
       pg_catalog.concat_ws('|', s.srvtype, s.srvversion,
           (SELECT pg_catalog.string_agg(o, ',' ORDER BY o) FROM pg_catalog.unnest(s.srvoptions) o WHERE o !~* '^[^=]*(password|secret|key|token)'))
  FROM pg_catalog.pg_foreign_server s
UNION ALL
-- No digest of a password: whoever reads the journal could try words against it.
SELECT 'pg_catalog.pg_user_mapping'::pg_catalog.regclass, u.umid, 0::pg_catalog.oid, 'definition',
       (SELECT pg_catalog.string_agg(o, ',' ORDER BY o) FROM pg_catalog.unnest(u.umoptions) o WHERE o !~* '^[^=]*(password|secret|key|token)')
  FROM pg_catalog.pg_user_mappings u
UNION ALL
SELECT 'pg_catalog.pg_event_trigger'::pg_catalog.regclass, e.oid, 0::pg_catalog.oid, 'definition',
       pg_catalog.concat_ws('|', e.evtevent, e.evtfoid::pg_catalog.regproc, e.evtenabled, e.evttags)
  FROM pg_catalog.pg_event_trigger e
UNION ALL
SELECT 'pg_catalog.pg_publication'::pg_catalog.regclass, p.oid, 0::pg_catalog.oid, 'definition',
       pg_catalog.concat_ws('|', p.puballtables, p.pubinsert, p.pubupdate, p.pubdelete,
           (SELECT pg_catalog.string_agg(r.prrelid::pg_catalog.regclass::pg_catalog.text, ',' ORDER BY r.prrelid)
              FROM pg_catalog.pg_publication_rel r WHERE r.prpubid = p.oid))
  FROM pg_catalog.pg_publication p
 WHERE p.pubname !~ '^pghaul_'
UNION ALL
SELECT 'pg_catalog.pg_default_acl'::pg_catalog.regclass, d.oid, d.defaclnamespace, 'privileges',
       {rights:d.defaclacl:NULL}
  FROM pg_catalog.pg_default_acl d
UNION ALL
SELECT 'pg_catalog.pg_database'::pg_catalog.regclass, d.oid, 0::pg_catalog.oid, 'options', d.datconnlimit::pg_catalog.text
  FROM pg_catalog.pg_database d
 WHERE d.datname = pg_catalog.current_database()
UNION ALL
SELECT s.classoid::pg_catalog.regclass, s.objoid, 0::pg_catalog.oid, 'label',
       pg_catalog.string_agg(pg_catalog.concat_ws(' ', s.objsubid, s.provider, s.label), ',' ORDER BY s.objsubid, s.provider)
  FROM pg_catalog.pg_seclabel s
 -- Large objects are compared by the step that copies them.
 WHERE s.classoid <> 'pg_catalog.pg_largeobject'::pg_catalog.regclass
 GROUP BY s.classoid, s.objoid
UNION ALL
SELECT 'pg_catalog.pg_database'::pg_catalog.regclass, d.oid, 0::pg_catalog.oid, 'comment', pg_catalog.shobj_description(d.oid, 'pg_database')
  FROM pg_catalog.pg_database d
 WHERE d.datname = pg_catalog.current_database()
UNION ALL
SELECT d.classoid::pg_catalog.regclass, d.objoid, 0::pg_catalog.oid, 'comment',
       pg_catalog.string_agg(pg_catalog.concat_ws(' ', d.objsubid, d.description), ',' ORDER BY d.objsubid)
  FROM pg_catalog.pg_description d
 WHERE d.objoid >= 16384
   AND d.classoid <> 'pg_catalog.pg_largeobject'::pg_catalog.regclass
 GROUP BY d.classoid, d.objoid
