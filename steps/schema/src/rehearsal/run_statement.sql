-- Statements are stored by COPY, and run by their places: so no row stands in a statement that the server writes to its log, nor
-- in the context or details of an error.
CREATE SCHEMA pghaul;
CREATE TABLE pghaul.statement (place int PRIMARY KEY, statement text NOT NULL);
CREATE FUNCTION pghaul.run_statement(wanted int) RETURNS pg_catalog.void
    LANGUAGE plpgsql
    AS $$
DECLARE
    context text;
BEGIN
    EXECUTE (SELECT s.statement FROM pghaul.statement s WHERE s.place = wanted);
EXCEPTION
    WHEN query_canceled OR OTHERS THEN
        GET STACKED DIAGNOSTICS context = PG_EXCEPTION_CONTEXT;
        -- What a function of a user raises is its own judgement, whatever code it gives.
        RAISE EXCEPTION USING
            ERRCODE = CASE WHEN SQLSTATE ~ '^(42|3F)' AND context ~ '^[^\n]* RAISE(\n|$)' THEN 'P0001' ELSE SQLSTATE END,
            MESSAGE = SQLERRM;
END
$$;
