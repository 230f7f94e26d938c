-- Who owns the objects of this database that a dump has, and who has granted rights on them without owning them: one row
-- for each object and role. Objects that a superuser alone can create, members of extensions, and what belongs to sessions are
-- left out. Schemas of temporary objects stay after their sessions, and belong to the superuser that made the cluster.
WITH objects (classid, objid, owner, acl) AS (
    SELECT 'pg_catalog.pg_database'::pg_catalog.regclass, d.oid, d.datdba, d.datacl
      FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()
    UNION ALL
    SELECT 'pg_catalog.pg_namespace'::pg_catalog.regclass, n.oid, n.nspowner, n.nspacl
      FROM pg_catalog.pg_namespace n
     WHERE (n.oid >= 16384 OR n.nspname = 'public') AND n.nspname !~ '^pg_(toast|temp)'
    UNION ALL
    SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, c.oid, c.relowner, c.relacl
      FROM pg_catalog.pg_class c WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relpersistence <> 't'
    UNION ALL
    SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, a.attrelid, NULL::pg_catalog.oid, a.attacl
      FROM pg_catalog.pg_attribute a WHERE a.attacl IS NOT NULL AND a.attrelid >= 16384
    UNION ALL
    SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass, p.oid, p.proowner, p.proacl FROM pg_catalog.pg_proc p
    UNION ALL
    SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid, t.typowner, t.typacl
      FROM pg_catalog.pg_type t
     WHERE t.typtype IN ('d', 'e', 'r')
        OR t.typtype = 'c' AND EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c')
    UNION ALL
    SELECT 'pg_catalog.pg_operator'::pg_catalog.regclass, o.oid, o.oprowner, NULL FROM pg_catalog.pg_operator o
    UNION ALL
    SELECT 'pg_catalog.pg_collation'::pg_catalog.regclass, l.oid, l.collowner, NULL FROM pg_catalog.pg_collation l
    UNION ALL
    SELECT 'pg_catalog.pg_conversion'::pg_catalog.regclass, v.oid, v.conowner, NULL FROM pg_catalog.pg_conversion v
    UNION ALL
    SELECT 'pg_catalog.pg_ts_dict'::pg_catalog.regclass, d.oid, d.dictowner, NULL FROM pg_catalog.pg_ts_dict d
    UNION ALL
    SELECT 'pg_catalog.pg_ts_config'::pg_catalog.regclass, f.oid, f.cfgowner, NULL FROM pg_catalog.pg_ts_config f
    UNION ALL
    SELECT 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass, s.oid, s.stxowner, NULL FROM pg_catalog.pg_statistic_ext s
    UNION ALL
    SELECT 'pg_catalog.pg_foreign_server'::pg_catalog.regclass, s.oid, s.srvowner, s.srvacl
      FROM pg_catalog.pg_foreign_server s
    UNION ALL
    SELECT 'pg_catalog.pg_publication'::pg_catalog.regclass, p.oid, p.pubowner, NULL
      FROM pg_catalog.pg_publication p WHERE p.pubname !~ '^pghaul_' AND NOT p.puballtables
    UNION ALL
    -- One of each owner with the same rights: there may be millions.
    SELECT 'pg_catalog.pg_largeobject'::pg_catalog.regclass, pg_catalog.min(l.oid), l.lomowner, l.lomacl
      FROM pg_catalog.pg_largeobject_metadata l GROUP BY l.lomowner, l.lomacl
    UNION ALL
    SELECT 'pg_catalog.pg_default_acl'::pg_catalog.regclass, a.oid, a.defaclrole, NULL FROM pg_catalog.pg_default_acl a
), kept AS (
    SELECT o.*
      FROM objects o
     WHERE (o.objid >= 16384
            OR o.classid IN ('pg_catalog.pg_database'::pg_catalog.regclass, 'pg_catalog.pg_namespace'::pg_catalog.regclass,
                             'pg_catalog.pg_largeobject'::pg_catalog.regclass))
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                        WHERE d.classid = o.classid AND d.objid = o.objid AND d.objsubid = 0 AND d.deptype = 'e')
       AND NOT EXISTS (SELECT
                         FROM pg_catalog.pg_depend d
                         JOIN pg_catalog.pg_namespace n ON n.oid = d.refobjid AND n.nspname ~ '^pg_(toast|temp)'
                        WHERE d.classid = o.classid AND d.objid = o.objid
                          AND d.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass)
), concerned AS (
    SELECT k.classid, k.objid, k.owner AS role, true AS owns FROM kept k WHERE k.owner IS NOT NULL
    UNION
    SELECT k.classid, k.objid, a.grantor, false
      FROM kept k, pg_catalog.aclexplode(k.acl) a
     WHERE a.grantor <> k.owner OR k.owner IS NULL
)
SELECT r.rolname::text AS role,
       c.owns,
       CASE WHEN c.classid = 'pg_catalog.pg_database'::pg_catalog.regclass THEN 'database'
            WHEN c.classid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND c.objid = 2200 AND r.oid = 10 THEN 'initial'
            WHEN c.classid = 'pg_catalog.pg_default_acl'::pg_catalog.regclass THEN 'default privileges'
            ELSE 'object' END AS what,
       pg_catalog.pg_describe_object(c.classid, c.objid, 0) AS object
  FROM concerned c
  JOIN pg_catalog.pg_roles r ON r.oid = c.role
 WHERE r.rolname !~ '^pg_'
   AND (c.owns OR NOT EXISTS (SELECT FROM concerned o
                               WHERE o.classid = c.classid AND o.objid = c.objid AND o.role = c.role AND o.owns))
 ORDER BY r.rolname::text COLLATE "C", c.owns DESC, c.classid::pg_catalog.oid, c.objid
