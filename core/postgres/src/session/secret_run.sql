-- Runs the statements in pg_temp.pghaul_secret as the body of a function in SQL. Its text is in no message of the server: of a
-- function in SQL a message's context has the name alone, of EXECUTE the whole statement. An error is raised again without the
-- context that it had, and without the statement that PostgreSQL quotes where it marks a position.
DO $pghaul$
DECLARE
    secret text := (SELECT statements FROM pg_temp.pghaul_secret);
    state text;
    message text;
    detail text;
    hint text;
BEGIN
    EXECUTE pg_catalog.format('CREATE FUNCTION pg_temp.pghaul_secret() RETURNS void LANGUAGE sql AS %L', secret);
    PERFORM pg_temp.pghaul_secret();
    DROP FUNCTION pg_temp.pghaul_secret();
EXCEPTION WHEN query_canceled OR assert_failure OR OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
        hint = PG_EXCEPTION_HINT;
    RAISE EXCEPTION USING ERRCODE = state, MESSAGE = message, DETAIL = detail, HINT = hint;
END
$pghaul$
