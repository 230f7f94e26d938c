NOT EXISTS (SELECT
                     FROM pg_catalog.pg_largeobject p
                    WHERE p.loid = m.oid
                      AND p.xmin::text <> ALL ($2::text[]))
