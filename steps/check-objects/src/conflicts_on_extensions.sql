-- What users have added to tables of extensions, which pg_dump leaves out. Triggers call a function of the extension where they are its
-- own; indexes are no members of it, but were created by its script.
WITH members AS (
    SELECT d.classid, d.objid, d.refobjid AS extension, d.xmin::text AS made
      FROM pg_catalog.pg_depend d
     WHERE d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.deptype = 'e'
), tables AS (
    SELECT m.objid AS oid, m.extension
      FROM members m
      JOIN pg_catalog.pg_class c ON c.oid = m.objid
     WHERE m.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND c.relkind IN ('r', 'p')
), added AS (
    SELECT 'trigger ' || pg_catalog.quote_ident(g.tgname) AS name, g.tgrelid AS of
      FROM pg_catalog.pg_trigger g
      JOIN tables t ON t.oid = g.tgrelid
     WHERE NOT g.tgisinternal
       AND NOT EXISTS (SELECT FROM members m
                        WHERE m.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
                          AND m.objid = g.tgfoid
                          AND m.extension = t.extension)
    UNION ALL
    SELECT 'policy ' || pg_catalog.quote_ident(p.polname), p.polrelid
      FROM pg_catalog.pg_policy p
      JOIN tables t ON t.oid = p.polrelid
    UNION ALL
    SELECT 'index ' || pg_catalog.quote_ident(c.relname), i.indrelid
      FROM pg_catalog.pg_index i
      JOIN tables t ON t.oid = i.indrelid
      JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
     WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = i.indexrelid)
       AND i.indexrelid > ALL (SELECT m.objid FROM members m WHERE m.extension = t.extension)
       AND (SELECT a.xmin::text FROM pg_catalog.pg_attribute a WHERE a.attrelid = i.indexrelid LIMIT 1)
           NOT IN (SELECT m.made FROM members m WHERE m.extension = t.extension
                   UNION ALL
                   SELECT e.xmin::text FROM pg_catalog.pg_extension e WHERE e.oid = t.extension)
)
SELECT a.name || ' on ' || a.of::pg_catalog.regclass AS name FROM added a ORDER BY 1
