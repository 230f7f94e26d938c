#!/bin/sh
# Measures how fast databases are moved, by pghaul and by everything else; docs/benchmarks.md tells what and how.
# Arguments go to the benchmark:
#
#   tests/bench.sh                                  all workloads, three rounds: an hour and more
#   tests/bench.sh --workload acc --rounds 3        one of them
#   tests/bench.sh --scale 0.01                     hardly any rows, to see that it runs
#   tests/bench.sh --help
set -eu
cd "$(dirname "$0")/.."

tests/postgres.sh
# PGHAUL_BIN names another binary to measure.
[ -n "${PGHAUL_BIN-}" ] || cargo build --release --package pghaul
exec cargo bench --package pghaul-tests --bench migration -- "$@"
