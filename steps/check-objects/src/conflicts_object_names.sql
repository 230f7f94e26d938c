-- Partitioned tables that are partitioned by the hash or the range of names of objects: what is hashed and sorted are the objects' numbers.
SELECT p.partrelid::pg_catalog.regclass::text AS name
  FROM pg_catalog.pg_partitioned_table p
 WHERE p.partstrat IN ('h', 'r')
   AND EXISTS (SELECT FROM pg_catalog.pg_attribute a
                WHERE a.attrelid = p.partrelid
                  AND a.attnum = ANY (p.partattrs::pg_catalog.int2[])
                  AND a.atttypid IN (SELECT t.oid FROM types t))
 ORDER BY 1
