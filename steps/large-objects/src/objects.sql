-- The large objects with these oids ($1), without their contents. What is in braces stands in readable.sql. The size is null where the role may not read the object.
SELECT m.oid,
       pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(m.lomowner)::text) AS owner,
       m.lomacl IS NULL AS has_default_rights,
       ARRAY(SELECT CASE WHEN a.grantor <> m.lomowner
                         THEN pg_catalog.format('SET LOCAL ROLE %I; ', pg_catalog.pg_get_userbyid(a.grantor)) ELSE '' END
                    || pg_catalog.format('GRANT %s ON LARGE OBJECT %s TO %s%s',
                                         a.privilege_type, m.oid,
                                         CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(g.rolname::text) END,
                                         CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
                    || CASE WHEN a.grantor <> m.lomowner THEN '; RESET ROLE' ELSE '' END
               FROM pg_catalog.aclexplode(m.lomacl)
                        WITH ORDINALITY AS a (grantor, grantee, privilege_type, is_grantable, place)
               LEFT JOIN pg_catalog.pg_roles g ON g.oid = a.grantee
              WHERE a.grantee = 0 OR g.oid IS NOT NULL
              ORDER BY a.grantor <> m.lomowner, a.place) AS grants,
       ARRAY(SELECT DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(g.rolname::text) END
               FROM pg_catalog.aclexplode(m.lomacl) a
               LEFT JOIN pg_catalog.pg_roles g ON g.oid = a.grantee
              WHERE a.grantee = 0 OR g.oid IS NOT NULL) AS grantees,
       (SELECT pg_catalog.format('COMMENT ON LARGE OBJECT %s IS %L', m.oid, d.description)
          FROM pg_catalog.pg_description d
         WHERE d.classoid = 'pg_catalog.pg_largeobject'::pg_catalog.regclass AND d.objoid = m.oid AND d.objsubid = 0) AS comment,
       ARRAY(SELECT pg_catalog.format('SECURITY LABEL FOR %I ON LARGE OBJECT %s IS %L', l.provider, m.oid, l.label)
               FROM pg_catalog.pg_seclabel l
              WHERE l.classoid = 'pg_catalog.pg_largeobject'::pg_catalog.regclass AND l.objoid = m.oid AND l.objsubid = 0
              ORDER BY l.provider) AS labels,
       CASE WHEN {readable}
            -- Closed at once: descriptors last as long as the transaction.
            THEN (SELECT pg_catalog.lo_lseek64(f.fd, 0, 2) + pg_catalog.lo_close(f.fd)
                    FROM (SELECT pg_catalog.lo_open(m.oid, x'40000'::integer) AS fd OFFSET 0) f)
       END AS size
  FROM pg_catalog.pg_largeobject_metadata m
  JOIN pg_catalog.pg_roles r ON r.rolname = current_user
 WHERE m.oid = ANY ($1::oid[])
