-- The catalogs that hold the large objects of this database, as they are now.
SELECT c.oid,
       c.relname::text AS name,
       pg_catalog.pg_relation_filenode(c.oid) AS file_node,
       pg_catalog.pg_stat_get_tuples_inserted(c.oid) + pg_catalog.pg_stat_get_tuples_updated(c.oid)
           + pg_catalog.pg_stat_get_tuples_deleted(c.oid) AS changes
  FROM pg_catalog.pg_class c
 WHERE c.oid IN ('pg_catalog.pg_largeobject'::pg_catalog.regclass,
                 'pg_catalog.pg_largeobject_metadata'::pg_catalog.regclass)
