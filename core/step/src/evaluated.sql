    -- The expressions that a change of a table evaluates: in constraints, also of domains, generated columns, defaults and indexes.
    SELECT k.conrelid, 'pg_catalog.pg_constraint'::pg_catalog.regclass, k.oid
      FROM pg_catalog.pg_constraint k
    UNION ALL
    SELECT a.adrelid, 'pg_catalog.pg_attrdef'::pg_catalog.regclass, a.oid
      FROM pg_catalog.pg_attrdef a
    UNION ALL
    SELECT i.indrelid, 'pg_catalog.pg_class'::pg_catalog.regclass, i.indexrelid
      FROM pg_catalog.pg_index i
    UNION ALL
    SELECT c.attrelid, 'pg_catalog.pg_constraint'::pg_catalog.regclass, k.oid
      FROM pg_catalog.pg_attribute c
      JOIN pg_catalog.pg_constraint k ON k.contypid = c.atttypid
