-- What is in the database besides what pghaul makes in the schema pghaul. $1 says whether other schemas count.
SELECT n.nspname::text || '.' || c.relname::text
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
   AND CASE WHEN n.nspname = 'pghaul' THEN c.relname NOT IN ('owner', 'effect')
            ELSE $1 AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
       END
 ORDER BY 1
 LIMIT 5
