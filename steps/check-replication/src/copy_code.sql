    -- The expressions that are evaluated while pghaul copies rows, or validates constraints: in CHECK constraints, also of domains,
    -- in stored generated columns, and in the keys of partitioned tables. Indexes and materialized views are built with the rights
    -- of their owners.
    SELECT k.conrelid, 'pg_catalog.pg_constraint'::pg_catalog.regclass, k.oid
      FROM pg_catalog.pg_constraint k
     WHERE k.contype = 'c'
    UNION ALL
    SELECT a.adrelid, 'pg_catalog.pg_attrdef'::pg_catalog.regclass, a.oid
      FROM pg_catalog.pg_attrdef a
      JOIN pg_catalog.pg_attribute c ON c.attrelid = a.adrelid AND c.attnum = a.adnum
     WHERE pg_catalog.to_jsonb(c) ->> 'attgenerated' = 's'
    UNION ALL
    SELECT c.oid, 'pg_catalog.pg_class'::pg_catalog.regclass, c.oid
      FROM pg_catalog.pg_class c
     WHERE c.relkind = 'p'
    UNION ALL
    SELECT c.attrelid, 'pg_catalog.pg_constraint'::pg_catalog.regclass, k.oid
      FROM pg_catalog.pg_attribute c
      JOIN pg_catalog.pg_constraint k ON k.contypid = c.atttypid
