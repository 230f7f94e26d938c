-- Databases of this server in which transaction ids or those of row locks are older than $1 transactions; the oldest
-- first.
SELECT d.datname::text AS database,
       greatest(pg_catalog.age(d.datfrozenxid), pg_catalog.mxid_age(d.datminmxid))::bigint AS age
  FROM pg_catalog.pg_database d
 WHERE greatest(pg_catalog.age(d.datfrozenxid), pg_catalog.mxid_age(d.datminmxid)) >= $1::bigint
 ORDER BY 2 DESC, 1
