-- Rules but for those that make views. $1 says whether definitions are wanted.
SELECT r.ev_class,
       r.rulename::text,
       r.ev_enabled::text,
       CASE WHEN $1::boolean THEN pg_catalog.pg_get_ruledef(r.oid) END
  FROM pg_catalog.pg_rewrite r
  JOIN pg_catalog.pg_class c ON c.oid = r.ev_class
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE r.rulename <> '_RETURN'
   AND {of_users}
 ORDER BY r.ev_class, r.rulename::text COLLATE "C"
