-- Whether process $3 holds the advisory lock $1 in the database with oid $2. pg_locks shows all databases; a
-- key of 64 bits stands in two columns of 32.
SELECT EXISTS (
    SELECT
      FROM pg_catalog.pg_locks
     WHERE locktype = 'advisory'
       AND granted
       AND objsubid = 1
       AND classid = (($1::bigint >> 32) & 4294967295)::oid
       AND objid = ($1::bigint & 4294967295)::oid
       AND database = $2::oid
       AND pid = $3::integer
)
