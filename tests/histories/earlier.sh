#!/bin/sh
# Builds the program of an earlier commit, once, and prints where it is:
#
#   PGHAUL_OLD_BIN=$(tests/histories/earlier.sh afe57ce) cargo test -p pghaul-tests --test histories -- upgrade
#
# Needs the git history that holds the commit, and about 150 seconds of CPU time for the first build.
set -eu
commit=${1:?a commit}
cd "$(dirname "$0")/../.."
root=$PWD
target=${CARGO_TARGET_DIR:-$root/target}
there=$target/earlier/$commit
program=$there/pghaul
if [ ! -x "$program" ]; then
    git rev-parse --quiet --verify "$commit^{commit}" >/dev/null || {
        echo "commit $commit is not here: fetch the whole history (git fetch --unshallow)" >&2
        exit 1
    }
    mkdir -p "$there/source"
    git archive "$commit" | tar -x -C "$there/source"
    (
        cd "$there/source"
        CARGO_TARGET_DIR=$there/target cargo build --quiet --locked --package pghaul --bin pghaul
    ) >&2
    mv "$there/target/debug/pghaul" "$program"
    rm -rf "$there/target" "$there/source"
fi
echo "$program"
