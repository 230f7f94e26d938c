-- Members of extensions whose rights are others than the extension's script gave them, with their extension.
WITH objects (classid, objid, rights, initial) AS (
    SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass, p.oid, p.proacl, pg_catalog.acldefault('f', p.proowner)
      FROM pg_catalog.pg_proc p
    UNION ALL
    SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, c.oid, c.relacl,
           pg_catalog.acldefault((CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END)::"char", c.relowner)
      FROM pg_catalog.pg_class c WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
    UNION ALL
    SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid, t.typacl, pg_catalog.acldefault('T', t.typowner)
      FROM pg_catalog.pg_type t
    UNION ALL
    SELECT 'pg_catalog.pg_language'::pg_catalog.regclass, l.oid, l.lanacl, pg_catalog.acldefault('l', l.lanowner)
      FROM pg_catalog.pg_language l
)
SELECT e.extname::text AS extension, pg_catalog.pg_describe_object(o.classid, o.objid, 0) AS object
  FROM pg_catalog.pg_depend d
  JOIN objects o ON o.classid = d.classid AND o.objid = d.objid
  JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
  LEFT JOIN pg_catalog.pg_init_privs i ON i.classoid = d.classid AND i.objoid = d.objid AND i.objsubid = 0
 WHERE d.deptype = 'e' AND d.objsubid = 0 AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
   AND (SELECT pg_catalog.array_agg(a::text ORDER BY a::text COLLATE "C") FROM pg_catalog.unnest(COALESCE(o.rights, o.initial)) a)
       IS DISTINCT FROM
       (SELECT pg_catalog.array_agg(a::text ORDER BY a::text COLLATE "C") FROM pg_catalog.unnest(COALESCE(i.initprivs, o.initial)) a)
 ORDER BY 1, 2
