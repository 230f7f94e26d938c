-- Every extension whose files the server has: the version that CREATE EXTENSION makes, all versions that there are,
-- and who may create that one. The column trusted came with PostgreSQL 13; as JSON a missing column is NULL.
SELECT a.name::text,
       a.default_version,
       coalesce(pg_catalog.array_agg(v.version::text) FILTER (WHERE v.version IS NOT NULL), '{}') AS versions,
       coalesce(pg_catalog.bool_or(v.superuser) FILTER (WHERE v.version = a.default_version), true) AS superuser,
       coalesce(pg_catalog.bool_or((pg_catalog.to_jsonb(v) ->> 'trusted')::boolean)
                FILTER (WHERE v.version = a.default_version), false) AS trusted
  FROM pg_catalog.pg_available_extensions a
  LEFT JOIN pg_catalog.pg_available_extension_versions v ON v.name = a.name
 GROUP BY a.name, a.default_version
