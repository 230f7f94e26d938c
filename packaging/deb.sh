#!/bin/sh
# Builds target/debian/pghaul_*.deb: the program with profile `dist`, its manual pages and completions.
# Needs cargo-deb: `cargo install cargo-deb --locked`. Arguments go to cargo-deb, such as `--output FILE`.
set -eu
cd "$(dirname "$0")/.."

if ! cargo deb --version >/dev/null 2>&1; then
    echo "packaging/deb.sh: cargo-deb is missing: cargo install cargo-deb --locked" >&2
    exit 1
fi

# Neither pages nor completions may show what is set here.
for variable in $(env | sed -n 's/^\(PGHAUL_[A-Z_]*\)=.*/\1/p'); do
    unset "$variable"
done

cargo build --profile dist --package pghaul --locked
target=${CARGO_TARGET_DIR:-target}
program=$target/dist/pghaul

# cargo-deb reads these by the paths that cli/Cargo.toml names.
generated=target/package
rm -rf "$generated"
mkdir -p "$generated/man" "$generated/completions"
"$program" man "$generated/man"
"$program" completions bash >"$generated/completions/pghaul"
"$program" completions zsh >"$generated/completions/_pghaul"
"$program" completions fish >"$generated/completions/pghaul.fish"
"$program" completions powershell >"$generated/completions/pghaul.ps1"

exec cargo deb --package pghaul --profile dist --no-build "$@"
