#!/bin/sh
# A whole migration between two throwaway clusters: installs PostgreSQL if there is none, builds, runs.
# Arguments go to `pghaul demo`; `./demo.sh --keep` leaves both clusters running until Ctrl-C.
set -eu
cd "$(dirname "$0")"

if ! command -v cargo >/dev/null; then
    echo "demo.sh: Rust is missing; see https://rustup.rs" >&2
    exit 1
fi

tests/postgres.sh
# What the script has fetched is not in PATH; the demo finds servers and pg_dump there.
for bin in "$(tests/postgres.sh --where)"/*-full/bin; do
    [ ! -x "$bin/postgres" ] || PATH=$PATH:$bin
done
export PATH

echo "building pghaul"
cargo build --profile demo --quiet --package pghaul
exec "${CARGO_TARGET_DIR:-target}/demo/pghaul" demo "$@"
