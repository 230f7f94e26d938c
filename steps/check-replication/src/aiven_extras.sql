-- The version of aiven_extras in this database, and whether pghaul's role may use its schema.
SELECT e.extversion AS version,
       pg_catalog.has_schema_privilege(e.extnamespace, 'USAGE') AS usage
  FROM pg_catalog.pg_extension e
 WHERE e.extname = 'aiven_extras'
