-- How many changes of rows ($1 is the slot, $2 the publication) are left in a slot that nobody uses: insert, update,
-- delete and truncate messages of pgoutput. Nothing is consumed.
SELECT pg_catalog.count(*)
  FROM pg_catalog.pg_logical_slot_peek_binary_changes($1::text::name, NULL, 1000, 'proto_version', '1',
                                                      'publication_names', $2::text)
 WHERE pg_catalog.length(data) > 0
   AND pg_catalog.get_byte(data, 0) IN (73, 85, 68, 84)
