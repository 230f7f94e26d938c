-- Memory for building indexes: what the server gives by itself, or, where that is more, its share of the size of
-- shared_buffers for each of $1 workers, 1 GB at most. Servers are usually given a quarter of the memory for
-- shared_buffers, so all workers together take no more than as much again.
SELECT pg_catalog.set_config(
           'maintenance_work_mem',
           greatest(m.setting::bigint,
                    least(1024 * 1024, b.setting::bigint * (pg_catalog.current_setting('block_size')::bigint / 1024)
                                       / $1::integer))::text || 'kB',
           false)
  FROM pg_catalog.pg_settings m
 CROSS JOIN pg_catalog.pg_settings b
 WHERE m.name = 'maintenance_work_mem'
   AND b.name = 'shared_buffers'
