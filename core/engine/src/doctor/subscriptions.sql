-- Every subscription of the server, of which only ours are shown: the oids of the others say which slots and
-- origins are somebody else's.
SELECT s.oid AS oid,
       s.subname::text AS name,
       d.datname::text AS database,
       s.subenabled AS enabled,
       s.subslotname::text AS slot,
       EXISTS (SELECT 1 FROM pg_catalog.pg_stat_subscription w WHERE w.subid = s.oid AND w.pid IS NOT NULL)
           AS working
  FROM pg_catalog.pg_subscription s
  JOIN pg_catalog.pg_database d ON d.oid = s.subdbid
 ORDER BY s.subname
