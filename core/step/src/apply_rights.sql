-- Tables whose owner may not do what replication does, one row each, with the reason. From PostgreSQL 16 on a subscription
-- acts as the owner of each table, in a partition as the owner of its root. $1 and $2 name the tables by schema and name;
-- where they are NULL, all tables count. $3 to $6 are roles in whose place others will own the tables, those others, and whether
-- each is a superuser or bypasses row-level security.
WITH RECURSIVE members (root, rootowner, oid) AS (
    SELECT c.oid, c.relowner, c.oid
      FROM pg_catalog.pg_class c
     WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
    UNION ALL
    SELECT m.root, m.rootowner, i.inhrelid
      FROM members m
      JOIN pg_catalog.pg_class p ON p.oid = m.oid AND p.relkind = 'p'
      JOIN pg_catalog.pg_inherits i ON i.inhparent = m.oid
), tables AS (
    SELECT m.oid, m.rootowner AS acts, c.relname, n.nspname, c.relforcerowsecurity AND c.relrowsecurity AS forced
      FROM members m
      JOIN pg_catalog.pg_class c ON c.oid = m.oid AND c.relkind IN ('r', 'p') AND c.relpersistence = 'p'
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pghaul')
       AND n.nspname !~ '^pg_(toast|temp)'
       AND ($1::text[] IS NULL
            OR (n.nspname::text, c.relname::text) IN (SELECT * FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[]))))
), evaluated (oid, catalog, object) AS (
{evaluated}), called (oid, function) AS (
    SELECT DISTINCT e.oid, d.refobjid
      FROM evaluated e
      JOIN pg_catalog.pg_depend d ON d.classid = e.catalog AND d.objid = e.object
     WHERE d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
), owners (oid, name, superuser, bypasses) AS (
    SELECT r.oid,
           coalesce(n.name, r.rolname::text),
           coalesce(n.superuser, r.rolsuper),
           coalesce(n.bypasses, r.rolbypassrls)
      FROM pg_catalog.pg_roles r
      LEFT JOIN ROWS FROM (pg_catalog.unnest($3::text[]), pg_catalog.unnest($4::text[]),
                           pg_catalog.unnest($5::boolean[]), pg_catalog.unnest($6::boolean[]))
                AS n (old, name, superuser, bypasses) ON n.old = r.rolname::text
), reasons AS (
    SELECT t.nspname,
           t.relname,
           o.name AS acts,
           CASE WHEN o.superuser
                    THEN NULL
                WHEN t.forced AND NOT o.bypasses
                    THEN 'row-level security is forced on it'
                WHEN NOT pg_catalog.has_table_privilege(t.acts, t.oid, 'SELECT')
                     OR NOT pg_catalog.has_table_privilege(t.acts, t.oid, 'INSERT')
                     OR NOT pg_catalog.has_table_privilege(t.acts, t.oid, 'UPDATE')
                     OR NOT pg_catalog.has_table_privilege(t.acts, t.oid, 'DELETE')
                     OR NOT pg_catalog.has_table_privilege(t.acts, t.oid, 'TRUNCATE')
                    THEN 'the role may not read and write it'
                ELSE (SELECT 'the role may not execute ' || c.function::pg_catalog.regprocedure::text
                        FROM called c
                       WHERE c.oid = t.oid AND NOT pg_catalog.has_function_privilege(t.acts, c.function, 'EXECUTE')
                       ORDER BY c.function
                       LIMIT 1)
           END AS why
      FROM tables t
      JOIN owners o ON o.oid = t.acts
)
SELECT r.nspname::text AS schema, r.relname::text AS name, r.acts, r.why
  FROM reasons r
 WHERE r.why IS NOT NULL
 ORDER BY r.nspname::text COLLATE "C", r.relname::text COLLATE "C"
