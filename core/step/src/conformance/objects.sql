-- What is in the database, and what the server has for it, except the schema pghaul.
WITH mine AS (
    SELECT oid, nspname FROM pg_catalog.pg_namespace
    WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'pghaul')
)
SELECT 'schema ' || nspname FROM mine
UNION ALL
SELECT 'relation ' || nspname || '.' || relname
FROM pg_catalog.pg_class JOIN mine ON mine.oid = relnamespace
UNION ALL
SELECT 'constraint ' || conname || ' in ' || nspname
FROM pg_catalog.pg_constraint JOIN mine ON mine.oid = connamespace
UNION ALL
SELECT 'function ' || nspname || '.' || proname
FROM pg_catalog.pg_proc JOIN mine ON mine.oid = pronamespace
UNION ALL
SELECT 'type ' || nspname || '.' || typname
FROM pg_catalog.pg_type JOIN mine ON mine.oid = typnamespace
UNION ALL
SELECT 'trigger ' || tgname || ' of ' || nspname || '.' || relname
FROM pg_catalog.pg_trigger
JOIN pg_catalog.pg_class ON pg_class.oid = tgrelid
JOIN mine ON mine.oid = relnamespace
WHERE NOT tgisinternal
UNION ALL
SELECT 'extension ' || extname FROM pg_catalog.pg_extension
UNION ALL
SELECT 'publication ' || pubname FROM pg_catalog.pg_publication
UNION ALL
SELECT 'subscription ' || subname FROM pg_catalog.pg_subscription
WHERE subdbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
UNION ALL
SELECT 'slot ' || slot_name FROM pg_catalog.pg_replication_slots
WHERE database = pg_catalog.current_database()
