-- Whether extension $1 can be updated from version $2 to $3, and the other way round.
SELECT coalesce(pg_catalog.bool_or(p.path IS NOT NULL) FILTER (WHERE p.source = $2::text AND p.target = $3::text), false)
           AS forwards,
       coalesce(pg_catalog.bool_or(p.path IS NOT NULL) FILTER (WHERE p.source = $3::text AND p.target = $2::text), false)
           AS backwards
  FROM pg_catalog.pg_extension_update_paths($1::text::name) p
