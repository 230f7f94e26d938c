-- When triggers fire: those of the tables with these quoted names, or event triggers where the table is null, in the order given.
SELECT coalesce(t.tgenabled, e.evtenabled)::text AS state
  FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) WITH ORDINALITY AS held (of_table, name, place)
  LEFT JOIN pg_catalog.pg_trigger t ON t.tgrelid = pg_catalog.to_regclass(held.of_table) AND t.tgname = held.name
       AND NOT t.tgisinternal
  LEFT JOIN pg_catalog.pg_event_trigger e ON held.of_table IS NULL AND e.evtname = held.name
 ORDER BY held.place
