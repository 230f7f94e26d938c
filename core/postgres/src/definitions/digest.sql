-- One row for each aspect of each object that a user has made, by PostgreSQL's own name for it. Members of
-- extensions come with their extension.
SELECT i.type AS kind, i.identity, d.facet, pg_catalog.left(pg_catalog.md5(COALESCE(d.definition, '')), 16) AS digest
  FROM (
{branches}
       ) AS d(catalog, oid, schema, facet, definition),
       LATERAL pg_catalog.pg_identify_object(d.catalog, d.oid, 0) i
 WHERE (d.oid >= 16384
        OR d.catalog = 'pg_catalog.pg_database'::pg_catalog.regclass
        OR d.catalog = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND d.oid = 2200)
   AND (d.catalog::pg_catalog.oid, d.oid) NOT IN (SELECT e.classid, e.objid FROM pg_catalog.pg_depend e WHERE e.deptype = 'e')
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_namespace n
                    WHERE n.oid = d.schema AND (n.nspname ~ '^pg_(toast|temp)' OR n.nspname = 'pghaul'))
   AND i.schema IS DISTINCT FROM 'pghaul'
   AND i.identity <> 'pghaul'
   AND NOT COALESCE(i.type IN ('publication', 'subscription') AND i.name ~ '^pghaul_', false)
   AND i.identity IS NOT NULL
UNION ALL
SELECT 'setting', pg_catalog.split_part(o, '=', 1)
           || CASE WHEN s.setrole = 0 THEN '' ELSE ' of role ' || pg_catalog.quote_ident({role:s.setrole}) END
           || ' in database ' || pg_catalog.quote_ident({database:b.datname}),
       'definition', pg_catalog.left(pg_catalog.md5(o), 16)
  FROM pg_catalog.pg_db_role_setting s
  JOIN pg_catalog.pg_database b ON b.oid = s.setdatabase, pg_catalog.unnest(s.setconfig) o
 WHERE b.datname = pg_catalog.current_database()
