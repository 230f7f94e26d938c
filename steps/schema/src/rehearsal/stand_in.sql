-- Within a function with SECURITY DEFINER nothing can become another role: what users wrote runs with the rights of the
-- stand-in alone, even though a superuser calls it. It owns nothing else here.
GRANT USAGE ON SCHEMA pghaul TO stand_in;
GRANT SELECT ON pghaul.statement TO stand_in;
ALTER FUNCTION pghaul.run_statement(int) SECURITY DEFINER;
ALTER FUNCTION pghaul.run_statement(int) OWNER TO stand_in;
