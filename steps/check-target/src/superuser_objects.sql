-- Objects of this database that a superuser creates, by the kind that a trial tells apart. Members of extensions, temporary objects,
-- and functions in C, which are tried one by one, are left out; so is what $1 and $2 identify, which is not selected.
WITH objects (kind, classid, objid) AS (
    SELECT 'event-trigger', 'pg_catalog.pg_event_trigger'::pg_catalog.regclass, e.oid FROM pg_catalog.pg_event_trigger e
    UNION ALL
    SELECT 'foreign-data-wrapper', 'pg_catalog.pg_foreign_data_wrapper'::pg_catalog.regclass, f.oid
      FROM pg_catalog.pg_foreign_data_wrapper f
    UNION ALL
    SELECT 'publication', 'pg_catalog.pg_publication'::pg_catalog.regclass, p.oid
      FROM pg_catalog.pg_publication p
     WHERE p.pubname !~ '^pghaul_' AND (p.puballtables {of_schemas})
    UNION ALL
    SELECT 'operator-class', 'pg_catalog.pg_opclass'::pg_catalog.regclass, c.oid FROM pg_catalog.pg_opclass c
    UNION ALL
    SELECT 'operator-class', 'pg_catalog.pg_opfamily'::pg_catalog.regclass, f.oid
      FROM pg_catalog.pg_opfamily f
     WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_opclass c WHERE c.opcfamily = f.oid)
    UNION ALL
    SELECT 'type', 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid
      FROM pg_catalog.pg_type t
     WHERE t.typtype = 'b' AND NOT EXISTS (SELECT FROM pg_catalog.pg_type e WHERE e.typarray = t.oid)
    UNION ALL
    SELECT 'access-method', 'pg_catalog.pg_am'::pg_catalog.regclass, a.oid FROM pg_catalog.pg_am a
    UNION ALL
    SELECT 'text-search', 'pg_catalog.pg_ts_parser'::pg_catalog.regclass, p.oid FROM pg_catalog.pg_ts_parser p
    UNION ALL
    SELECT 'text-search', 'pg_catalog.pg_ts_template'::pg_catalog.regclass, t.oid FROM pg_catalog.pg_ts_template t
    UNION ALL
    SELECT 'language', 'pg_catalog.pg_language'::pg_catalog.regclass, l.oid FROM pg_catalog.pg_language l
    UNION ALL
    SELECT 'leakproof', 'pg_catalog.pg_proc'::pg_catalog.regclass, p.oid
      FROM pg_catalog.pg_proc p
     WHERE p.proleakproof AND p.prolang IN (SELECT l.oid FROM pg_catalog.pg_language l WHERE l.lanpltrusted)
    UNION ALL
    SELECT 'untrusted-language', 'pg_catalog.pg_proc'::pg_catalog.regclass, p.oid
      FROM pg_catalog.pg_proc p
      JOIN pg_catalog.pg_language l ON l.oid = p.prolang AND NOT l.lanpltrusted AND l.lanname NOT IN ('c', 'internal')
    UNION ALL
    SELECT 'cast', 'pg_catalog.pg_cast'::pg_catalog.regclass, c.oid FROM pg_catalog.pg_cast c WHERE c.castmethod = 'b'
)
SELECT o.kind, pg_catalog.pg_describe_object(o.classid, o.objid, 0) AS object
  FROM objects o
 WHERE o.objid >= 16384
   AND NOT EXISTS (SELECT FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.oid[]), pg_catalog.unnest($2::pg_catalog.oid[])) AS l (classid, objid)
                    WHERE l.classid = o.classid AND l.objid = o.objid)
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                    WHERE d.classid = o.classid AND d.objid = o.objid AND d.objsubid = 0 AND d.deptype = 'e')
   AND NOT EXISTS (SELECT
                     FROM pg_catalog.pg_depend d
                     JOIN pg_catalog.pg_namespace n ON n.oid = d.refobjid AND n.nspname ~ '^pg_(toast|temp)'
                    WHERE d.classid = o.classid AND d.objid = o.objid
                      AND d.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass)
 ORDER BY o.kind, 2
