-- Where the server is in its own history. The name of a WAL file begins with the timeline, which pg_control_checkpoint()
-- shows only after the first checkpoint that follows a promotion. Not on a standby.
SELECT s.system_identifier::text AS system_identifier,
       ('x' || pg_catalog.substr(pg_catalog.pg_walfile_name(p.lsn), 1, 8))::bit(32)::integer AS timeline,
       p.lsn,
       nullif(pg_catalog.current_setting('synchronized_standby_slots', true), '') AS standby_slots
  FROM pg_catalog.pg_control_system() s
 CROSS JOIN (SELECT pg_catalog.pg_current_wal_insert_lsn() AS lsn) p
