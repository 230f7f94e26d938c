#!/bin/sh
# Runs every test of the workspace. Arguments go to `cargo test`:
#
#   tests/run.sh                      everything
#   tests/run.sh -p pghaul-store      one package
#   tests/run.sh -- some_test_name    some tests
#
# The tests start their own PostgreSQL servers. tests/postgres.sh installs one where none is found.
set -eu
cd "$(dirname "$0")/.."

tests/postgres.sh

# A developer's own servers and settings must not be touched, nor decide how a test ends.
for variable in $(env | sed -n 's/^\(PG[A-Z_]*\)=.*/\1/p'); do
    case $variable in
        # These say where programs are, not which server is meant.
        PGHAUL_PG_BIN | PGHAUL_PG_DUMP | PGHAUL_BIN) ;;
        *) unset "$variable" ;;
    esac
done

# While one test waits for its servers, another can work; half of the time they wait.
: "${RUST_TEST_THREADS:=$(($(nproc) * 2))}"
export RUST_TEST_THREADS

# A shell in the background, or nohup, hands down signals that are ignored, and the tests send them.
# Without arguments that is every package of the workspace.
exec env --default-signal=INT,HUP cargo test "$@"
