CREATE ROLE app;
ALTER SCHEMA public OWNER TO app;
SET ROLE app;
-- A role that may do more than its owner does more: what a superuser may, if PostgreSQL lets it.
CREATE FUNCTION public.ran(place text, i integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS
    $$ BEGIN RAISE LOG 'ran: % as %', place, current_user; RETURN i; END $$;
CREATE FUNCTION public.ran() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM public.ran(TG_ARGV[0], 1); RETURN new; END $$;
CREATE TABLE defaulted (i integer PRIMARY KEY, d integer DEFAULT public.ran('default', 1));
CREATE TABLE generated (i integer PRIMARY KEY, g integer GENERATED ALWAYS AS (public.ran('generated', i)) STORED);
CREATE TABLE checked (i integer PRIMARY KEY CHECK (public.ran('check', i) > 0));
CREATE DOMAIN of_app AS integer CHECK (public.ran('domain', value) > 0);
CREATE TABLE of_domain (i of_app PRIMARY KEY);
CREATE TABLE indexed (i integer PRIMARY KEY, EXCLUDE USING btree (public.ran('exclusion', i) WITH =));
CREATE INDEX ON indexed (public.ran('index', i));
CREATE INDEX ON indexed (i) WHERE public.ran('predicate', i) > 0;
CREATE TABLE partitioned (i integer) PARTITION BY RANGE (public.ran('partition key', i));
CREATE TABLE part PARTITION OF partitioned FOR VALUES FROM (0) TO (100);
CREATE TABLE hidden (i integer PRIMARY KEY);
ALTER TABLE hidden ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON hidden USING (public.ran('policy', i) > 0);
CREATE TABLE ruled (i integer PRIMARY KEY);
CREATE RULE r AS ON INSERT TO ruled DO ALSO SELECT public.ran('rule', 1);
CREATE TABLE triggered (i integer PRIMARY KEY);
CREATE TRIGGER t BEFORE INSERT ON triggered FOR EACH ROW EXECUTE PROCEDURE public.ran('trigger');
CREATE TRIGGER a BEFORE INSERT ON triggered FOR EACH ROW EXECUTE PROCEDURE public.ran('trigger always');
ALTER TABLE triggered ENABLE ALWAYS TRIGGER a;
CREATE MATERIALIZED VIEW materialized AS SELECT public.ran('materialized view', 1);
CREATE VIEW viewed AS SELECT public.ran('view', 1);
-- Operators that come before PostgreSQL's own in the sessions of the database that set no search_path.
DO $$
DECLARE
    type text;
BEGIN
    FOREACH type IN ARRAY ARRAY['text', 'name', 'oid', 'integer', 'bigint', '"char"'] LOOP
        EXECUTE format('CREATE FUNCTION public.same(%1$s, %1$s) RETURNS boolean LANGUAGE plpgsql AS
                        ''BEGIN RAISE LOG ''''ran: operator as %%'''', current_user; RETURN $1 OPERATOR(pg_catalog.=) $2; END''', type);
        EXECUTE format('CREATE OPERATOR public.= (LEFTARG = %1$s, RIGHTARG = %1$s, PROCEDURE = public.same)', type);
    END LOOP;
END $$;
RESET ROLE;
ALTER DATABASE d SET search_path = public, pg_catalog;
