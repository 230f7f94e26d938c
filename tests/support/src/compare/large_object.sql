concat_ws('|', l.oid, pg_catalog.pg_get_userbyid(l.lomowner), l.lomacl,
          pg_catalog.obj_description(l.oid, 'pg_largeobject'), pg_catalog.md5(pg_catalog.lo_get(l.oid)))
