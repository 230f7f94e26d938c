        UNION ALL
        SELECT 'parameter', p.parname, 'privileges',
               (SELECT pg_catalog.string_agg(a::pg_catalog.text, ',' ORDER BY a::pg_catalog.text COLLATE "C") FROM pg_catalog.unnest(p.paracl) a)
          FROM pg_catalog.pg_parameter_acl p
