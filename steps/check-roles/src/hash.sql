(SELECT CASE WHEN a.rolpassword ~ '^md5[0-9a-f]{32}$' THEN 'md5'
             WHEN a.rolpassword ~ '^SCRAM-SHA-256\$\d+:[A-Za-z0-9+/=]+\$[A-Za-z0-9+/=]+:[A-Za-z0-9+/=]+$' THEN 'scram'
             WHEN a.rolpassword IS NOT NULL THEN 'unknown'
        END
   FROM pg_catalog.pg_authid a
  WHERE a.oid = r.oid)
