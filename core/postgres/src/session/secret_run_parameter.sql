-- As secret_run.sql, for roles without the privilege TEMPORARY: the statements stand in a setting.
DO $pghaul$
DECLARE
    state text;
    message text;
    detail text;
    hint text;
BEGIN
    EXECUTE pg_catalog.current_setting('pghaul.secret');
EXCEPTION WHEN query_canceled OR assert_failure OR OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
        hint = PG_EXCEPTION_HINT;
    RAISE EXCEPTION USING ERRCODE = state, MESSAGE = message, DETAIL = detail, HINT = hint;
END
$pghaul$
