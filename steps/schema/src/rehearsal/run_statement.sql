-- Statements are stored by COPY, and run by their places: so no row stands in a statement that the server writes to its log, nor
-- in the context or details of an error.
CREATE SCHEMA pghaul;
CREATE TABLE pghaul.statement (place int PRIMARY KEY, statement text NOT NULL);
CREATE FUNCTION pghaul.run_statement(wanted int) RETURNS pg_catalog.void
    LANGUAGE plpgsql
    AS $$
BEGIN
    EXECUTE (SELECT s.statement FROM pghaul.statement s WHERE s.place = wanted);
EXCEPTION
    WHEN query_canceled OR OTHERS THEN
        RAISE EXCEPTION USING ERRCODE = SQLSTATE, MESSAGE = SQLERRM;
END
$$;
