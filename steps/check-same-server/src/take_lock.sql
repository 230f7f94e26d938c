-- A lock under a key that nobody else has: 64 random bits.
WITH random_key AS (
    SELECT ('x' || pg_catalog.substr(pg_catalog.md5(pg_catalog.random()::text || pg_catalog.clock_timestamp()::text), 1, 16))
           ::bit(64)::bigint AS key
)
SELECT k.key,
       d.oid AS database,
       pg_catalog.pg_backend_pid() AS pid,
       pg_catalog.pg_try_advisory_xact_lock(k.key)
  FROM random_key k
  JOIN pg_catalog.pg_database d ON d.datname = pg_catalog.current_database()
