-- Physical slots that a standby uses now.
SELECT s.slot_name::text
  FROM pg_catalog.pg_replication_slots s
 WHERE s.slot_type = 'physical'
   AND s.active
