-- Where the server keeps its data, for those who may know it, and who it is. The setting reads as NULL to others
-- from PostgreSQL 15 on and raises an error before.
SELECT CASE WHEN pg_catalog.pg_has_role('pg_read_all_settings', 'USAGE')
            THEN pg_catalog.current_setting('data_directory', true)
       END AS directory
