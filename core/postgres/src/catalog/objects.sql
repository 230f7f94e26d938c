-- Every object that a user or an extension has made, with what a selection must know of it. Objects of sessions, of TOAST
-- and of pghaul are left out.
WITH found (classid, objid) AS (
    SELECT d.classid, d.objid FROM pg_catalog.pg_depend d WHERE d.deptype <> 'p' AND d.objid >= 16384
    UNION
    SELECT d.refclassid, d.refobjid
      FROM pg_catalog.pg_depend d
     WHERE d.deptype <> 'p'
       AND (d.refobjid >= 16384
            OR d.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND d.refobjid = 2200
            OR d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass)
    UNION
    SELECT 'pg_catalog.pg_namespace'::pg_catalog.regclass, n.oid
      FROM pg_catalog.pg_namespace n WHERE n.oid >= 16384 OR n.oid = 2200
    UNION
    SELECT 'pg_catalog.pg_publication'::pg_catalog.regclass, p.oid FROM pg_catalog.pg_publication p
    UNION
    SELECT 'pg_catalog.pg_foreign_data_wrapper'::pg_catalog.regclass, f.oid
      FROM pg_catalog.pg_foreign_data_wrapper f WHERE f.oid >= 16384
    UNION
    SELECT 'pg_catalog.pg_event_trigger'::pg_catalog.regclass, e.oid FROM pg_catalog.pg_event_trigger e
    UNION
    SELECT 'pg_catalog.pg_language'::pg_catalog.regclass, l.oid FROM pg_catalog.pg_language l WHERE l.oid >= 16384
    UNION
    SELECT 'pg_catalog.pg_default_acl'::pg_catalog.regclass, a.oid FROM pg_catalog.pg_default_acl a
    UNION
    SELECT 'pg_catalog.pg_cast'::pg_catalog.regclass, k.oid FROM pg_catalog.pg_cast k WHERE k.oid >= 16384
), named AS (
    SELECT f.classid, f.objid, i.type, i.schema, i.name, i.identity
      FROM found f, LATERAL pg_catalog.pg_identify_object(f.classid, f.objid, 0) i
)
SELECT f.classid,
       f.objid,
       CASE f.classid
           WHEN 'pg_catalog.pg_class'::pg_catalog.regclass THEN c.relkind::text
           WHEN 'pg_catalog.pg_namespace'::pg_catalog.regclass THEN 'schema'
           WHEN 'pg_catalog.pg_extension'::pg_catalog.regclass THEN 'extension'
           WHEN 'pg_catalog.pg_event_trigger'::pg_catalog.regclass THEN 'event trigger'
           WHEN 'pg_catalog.pg_publication'::pg_catalog.regclass THEN 'publication'
           WHEN 'pg_catalog.pg_trigger'::pg_catalog.regclass THEN 'trigger'
           WHEN 'pg_catalog.pg_attrdef'::pg_catalog.regclass THEN 'inline'
           WHEN 'pg_catalog.pg_cast'::pg_catalog.regclass THEN 'conversion'
           WHEN 'pg_catalog.pg_transform'::pg_catalog.regclass THEN 'conversion'
           WHEN 'pg_catalog.pg_constraint'::pg_catalog.regclass
                THEN CASE k.contype WHEN 'f' THEN 'foreign key' WHEN 'c' THEN 'inline' ELSE 'constraint' END
           ELSE CASE WHEN f.type LIKE 'publication %' THEN 'published' ELSE '' END
       END AS kind,
       CASE WHEN f.classid = 'pg_catalog.pg_class'::pg_catalog.regclass THEN cn.nspname::text
            WHEN f.schema IS NULL THEN NULL
            ELSE (SELECT n.nspname::text FROM pg_catalog.pg_namespace n WHERE pg_catalog.quote_ident(n.nspname) = f.schema)
       END AS schema,
       COALESCE(c.relname, k.conname, t.tgname, n.nspname, e.extname, v.evtname, p.pubname)::text AS name,
       COALESCE(NULLIF(k.conrelid, 0), t.tgrelid) AS table,
       f.type || ' ' || f.identity AS label
  FROM named f
  LEFT JOIN pg_catalog.pg_class c ON f.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND c.oid = f.objid
  LEFT JOIN pg_catalog.pg_namespace cn ON cn.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_constraint k ON f.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND k.oid = f.objid
  LEFT JOIN pg_catalog.pg_trigger t ON f.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass AND t.oid = f.objid
  LEFT JOIN pg_catalog.pg_namespace n ON f.classid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND n.oid = f.objid
  LEFT JOIN pg_catalog.pg_extension e ON f.classid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND e.oid = f.objid
  LEFT JOIN pg_catalog.pg_event_trigger v
         ON f.classid = 'pg_catalog.pg_event_trigger'::pg_catalog.regclass AND v.oid = f.objid
  LEFT JOIN pg_catalog.pg_publication p ON f.classid = 'pg_catalog.pg_publication'::pg_catalog.regclass AND p.oid = f.objid
 WHERE f.identity IS NOT NULL
   AND COALESCE(cn.nspname, f.schema, '') !~ '^pg_(toast|temp)'
   AND COALESCE(n.nspname, cn.nspname, '') <> 'pghaul'
   AND COALESCE(n.nspname, '') !~ '^pg_(toast|temp)'
   AND COALESCE(p.pubname, '') !~ '^pghaul_'
 ORDER BY f.classid, f.objid
