-- Settings that give statements and values their meaning, as a new session gets them. Those in $1 are set by pghaul's own
-- sessions: for these the configuration files say it, where the role may read them, otherwise they are left out.
WITH files AS (
    SELECT pg_catalog.lower(f.name) AS name, f.setting
      FROM {files} f
)
SELECT s.name,
       CASE WHEN pg_catalog.lower(s.name) = ANY ($1::text[])
            THEN coalesce((SELECT f.setting FROM files f WHERE f.name = pg_catalog.lower(s.name) LIMIT 1), s.boot_val)
            ELSE s.reset_val
       END AS value
  FROM pg_catalog.pg_settings s
 WHERE pg_catalog.lower(s.name) = ANY ($2::text[])
    OR (pg_catalog.lower(s.name) = ANY ($1::text[]) AND {readable})
 ORDER BY s.name
