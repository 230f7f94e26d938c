        UNION ALL
        SELECT 'parameter', p.parname, 'privileges',
               {rights:p.paracl:10}
          FROM pg_catalog.pg_parameter_acl p
