        UNION ALL
        SELECT 'role', pg_catalog.quote_ident(a.rolname), 'password', a.rolpassword
          FROM pg_catalog.pg_authid a WHERE a.rolname !~ '^pg_'
