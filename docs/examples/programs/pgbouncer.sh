#!/bin/sh
# A step with `again = "removal"`: `remove` pauses the database in PgBouncer before the last proof. When that is over, or when the
# removal was refused, the database is resumed.
#
# PGBOUNCER is the conninfo of the administration console, with a password file. SWITCH, where it is set, is a command that makes
# PgBouncer lead to the target, such as one that installs another configuration.
set -eu
echo '{"type":"hello","protocol":1}'
console() {
    psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --dbname "${PGBOUNCER:-host=/tmp port=6432 dbname=pgbouncer}" --command "$1"
}
# A name is quoted as in SQL.
database=$(printf %s "$PGHAUL_DATABASE" | sed 's/"/""/g')
case "$PGHAUL_REQUEST:$PGHAUL_AGAIN$PGHAUL_REASON" in
    run:removal)
        console "PAUSE \"$database\"" >&2
        ;;
    run:*) ;; # the first time the database has just caught up: nothing is to be paused
    undo:completed)
        if [ -n "${SWITCH:-}" ]; then
            $SWITCH "$PGHAUL_DATABASE" >&2
            console RELOAD >&2
        fi
        console "RESUME \"$database\"" >&2
        ;;
    undo:*)
        # One that is not paused can't be resumed: that is no failure.
        console "RESUME \"$database\"" >&2 || true
        ;;
esac
echo '{"type":"done"}'
