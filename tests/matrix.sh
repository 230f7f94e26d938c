#!/bin/sh
# Moves databases with objects of every kind from every version of PostgreSQL to every newer one, by both methods, and compares them
# with the source and with what pg_dump and pg_restore make of them. Prints lines of the table in docs/reference/versions.md. Takes about
# forty minutes; servers are fetched as needed.
#
#   tests/matrix.sh                 all pairs
#   tests/matrix.sh 10:15 13:17     these
set -eu
cd "$(dirname "$0")/.."

versions="10 11 12 13 14 15 16 17 18"
pairs=$*
if [ -z "$pairs" ]; then
    for source in $versions; do
        for target in $versions; do
            [ "$source" -gt "$target" ] || pairs="$pairs $source:$target"
        done
    done
fi
PGHAUL_MATRIX=$pairs exec tests/run.sh -p pghaul-tests --test e2e -- --nocapture versions:: zoo::
