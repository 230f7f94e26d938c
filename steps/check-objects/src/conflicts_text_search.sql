-- Text search configurations of the server whose dictionaries users have changed, which pg_dump leaves out. They come with 19 kinds of
-- tokens, for each of which the dictionary "simple" or a stemmer.
SELECT c.cfgname::text AS name
  FROM pg_catalog.pg_ts_config c
  LEFT JOIN pg_catalog.pg_ts_config_map m ON m.mapcfg = c.oid
  LEFT JOIN pg_catalog.pg_ts_dict d ON d.oid = m.mapdict
 WHERE c.oid < 16384
 GROUP BY c.oid, c.cfgname
HAVING count(m.mapdict) <> 19 OR pg_catalog.bool_or(d.oid >= 16384)
 ORDER BY 1
