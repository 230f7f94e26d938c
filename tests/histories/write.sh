#!/bin/sh
# Writes the journals of a release, in every state, into tests/histories/RELEASE:
#
#   tests/histories/write.sh 0.2.0 target/release/pghaul
#
# Needs the right to set a host name in a namespace of its own (root has it). Look at what is new with `git status`, then
# run `cargo test -p pghaul-tests --test histories`.
set -eu
[ $# -eq 2 ] || { sed -n 's/^# \{0,1\}//p' "$0" | sed 1d; exit 2; }
release=$1 program=$(realpath "$2")
cd "$(dirname "$0")/../.."
PGHAUL_RELEASE=$release PGHAUL_RELEASE_BIN=$program \
    cargo test -q -p pghaul-tests --test histories -- --ignored --exact write::journals_of_a_release
