-- One row per database; {provider} and {locale} depend on the version.
SELECT d.datname,
       d.datallowconn,
       d.datistemplate,
       CASE WHEN pg_catalog.has_database_privilege(d.oid, 'CONNECT')
            OR pg_catalog.pg_has_role('pg_read_all_stats', 'MEMBER')
           THEN pg_catalog.pg_database_size(d.oid)
       END,
       pg_catalog.pg_encoding_to_char(d.encoding),
       d.datcollate::pg_catalog.text,
       d.datctype::pg_catalog.text,
       {provider},
       {locale},
       d.datconnlimit,
       pg_catalog.pg_get_userbyid(d.datdba)
FROM pg_catalog.pg_database AS d
ORDER BY d.datname
